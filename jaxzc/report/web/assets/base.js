"use strict";
// What every part of the page uses: the data, colours of the theme, numbers, the tooltip.
const root = document.documentElement;
root.classList.add("scripted");
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const redraws = []; // called when size or theme change

function make(name, attributes = {}, text = "") {
  const element = name.startsWith("svg:") ? document.createElementNS("http://www.w3.org/2000/svg", name.slice(4)) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text) element.textContent = text;
  return element;
}

// A probe turns light-dark(...) into the colour that holds now, which a canvas needs.
const probe = document.body.appendChild(make("span", { class: "hidden", "aria-hidden": "true" }));
function colour(name) {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

function number(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "\u2013";
  const size = Math.abs(value);
  const text = size >= 1e7 || (size > 0 && size < 1e-4) ? value.toExponential(digits - 1) : Number(value.toPrecision(Math.max(digits, Math.ceil(Math.log10(size + 1))))).toLocaleString("en");
  return text.replace("-", "\u2212");
}

function short(value) {
  for (const [factor, letter] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) if (Math.abs(value) >= factor) return `${Number((value / factor).toPrecision(3))}${letter}`;
  return String(Number(value.toPrecision(3))).replace("-", "\u2212");
}

// Round steps of 1, 2 or 5 that give about `count` of them.
function ticks(low, high, count) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((s) => s * power >= rough) * power;
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) found.push(Number((k * step).toPrecision(12)));
  return found;
}

const tip = byId("tip");
function showTip(text, x, y) {
  tip.textContent = text;
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const room = root.clientWidth;
  tip.style.left = `${Math.max(12, Math.min(x + 14, room - width - 12))}px`;
  tip.style.top = `${y - height - 14 > 8 ? y - height - 14 : y + 18}px`;
}
function hideTip() { tip.hidden = true; }

function tipOf(element) {
  if (element.dataset.tip) return element.dataset.tip;
  const row = element.parentElement, heads = byId("heat").tHead.rows[0].cells;
  const strength = element.style.getPropertyValue("--v");
  const sign = element.classList.contains("n") ? "\u2212" : "";
  return `${row.cells[0].textContent} and ${heads[element.cellIndex].textContent}: ${strength ? sign + strength : "undefined"}`;
}
document.addEventListener("pointerover", (event) => {
  const element = event.target.closest("[data-tip], #heat tbody td");
  if (element) showTip(tipOf(element), event.clientX, event.clientY);
  else if (event.target.tagName !== "CANVAS") hideTip();
});
document.addEventListener("focusin", (event) => {
  const element = event.target.closest("[data-tip]");
  if (!element || !element.matches(":focus-visible")) return;
  const box = element.getBoundingClientRect();
  showTip(element.dataset.tip, box.left, box.top);
});
document.addEventListener("focusout", hideTip);
document.addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });
document.addEventListener("scroll", hideTip, { capture: true, passive: true });

// Theme: the system's, until the reader chooses; the choice is kept where the browser allows it.
const dark = matchMedia("(prefers-color-scheme: dark)");
const themeButton = byId("theme");
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
function showTheme() {
  themeButton.textContent = isDark() ? "Light" : "Dark";
  themeButton.setAttribute("aria-label", `Change to the ${isDark() ? "light" : "dark"} theme`);
  for (const redraw of redraws) redraw();
}
function setTheme(theme) { if (theme) root.dataset.theme = theme; else delete root.dataset.theme; showTheme(); }
try { root.dataset.theme = localStorage.getItem("jaxzc-theme") || ""; } catch { /* no storage: the system's theme */ }
if (!root.dataset.theme) delete root.dataset.theme;
themeButton.hidden = false;
themeButton.addEventListener("click", () => {
  setTheme(isDark() ? "light" : "dark");
  try { localStorage.setItem("jaxzc-theme", root.dataset.theme); } catch { /* not kept */ }
});
dark.addEventListener("change", showTheme);
let before;
addEventListener("beforeprint", () => { before = root.dataset.theme; setTheme("light"); });
addEventListener("afterprint", () => setTheme(before));
let waiting;
addEventListener("resize", () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(() => redraws.forEach((redraw) => redraw())); });
