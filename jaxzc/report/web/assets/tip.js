// The tooltip: beside what it explains, never on a control that the reader may want to press.
const tip = byId("tip");
const area = (a, b) => Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left)) * Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));

// anchor: a rectangle in the window; of the places around it the first that covers no control, or else the one that covers least.
function showTip(text, anchor) {
  tip.textContent = text;
  tip.hidden = false;
  tip.style.left = tip.style.top = "0";
  const { width, height } = tip.getBoundingClientRect();
  const roomX = root.clientWidth, roomY = root.clientHeight, gap = 10;
  const middle = Math.max(8, Math.min((anchor.left + anchor.right - width) / 2, roomX - width - 8)), level = (anchor.top + anchor.bottom - height) / 2;
  const spots = [[middle, anchor.top - height - gap], [middle, anchor.bottom + gap], [anchor.right + gap, level], [anchor.left - width - gap, level]];
  const controls = [...document.querySelectorAll("button, select, input, summary, nav a")].map((control) => control.getBoundingClientRect()).filter((box) => box.bottom > 0 && box.top < roomY && box.width > 1);
  let best = null;
  for (const [left, top] of spots) {
    const box = { left, top, right: left + width, bottom: top + height };
    const outside = width * height - area(box, { left: 0, top: 0, right: roomX, bottom: roomY });
    const covered = controls.reduce((sum, control) => sum + area(box, control), 0) + 10 * outside + 20 * area(box, anchor);
    if (!best || covered < best.covered - 0.5) best = { covered, left, top };
  }
  tip.style.left = `${best.left}px`;
  tip.style.top = `${best.top}px`;
}
function hideTip() { tip.hidden = true; }
const spot = (x, y, radius = 6) => ({ left: x - radius, right: x + radius, top: y - radius, bottom: y + radius });

function tipOf(element) {
  if (element.dataset.tip) return element.dataset.tip;
  const row = element.parentElement, heads = byId("heat").tHead.rows[0].cells;
  return `${row.cells[0].textContent} and ${heads[element.cellIndex].textContent}: ${element.textContent}`;
}
document.addEventListener("pointerover", (event) => {
  const element = event.target.closest("[data-tip], #heat tbody td");
  if (element) showTip(tipOf(element), element.classList.contains("track") ? { ...spot(event.clientX, 0), top: element.getBoundingClientRect().top, bottom: element.getBoundingClientRect().bottom } : element.getBoundingClientRect());
  else if (!event.target.closest(".scatter")) hideTip();
});
document.addEventListener("focusin", (event) => {
  const element = event.target.closest("[data-tip]");
  if (element && element.matches(":focus-visible")) showTip(element.dataset.tip, element.getBoundingClientRect());
});
document.addEventListener("focusout", hideTip);
document.addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });
document.addEventListener("scroll", hideTip, { capture: true, passive: true });
