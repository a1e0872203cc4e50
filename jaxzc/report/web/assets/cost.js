// Agreement against cost, as SVG: one named dot for the proxies at one place. A cost of 0 has a column of its own, left of the logarithmic axis.
const costSelect = byId("cost-kind");
for (const { name, label } of data.cost) costSelect.append(new Option(label, name));
byId("cost-controls").hidden = data.cost.length < 2;

// Where a name stands: the nearest place that hides no dot and no other name, or the one that hides least; far ones get a line.
const RADII = [10, 17, 25, 35, 48, 64, 84], ANGLES = [0, 180, 30, -30, 150, -150, 90, -90, 60, -60, 120, -120].map((degrees) => (degrees * Math.PI) / 180);
function placeName(x, y, width, taken, frame) {
  let best = null;
  for (const radius of RADII) {
    for (const angle of ANGLES) {
      const dx = Math.round(100 * radius * Math.cos(angle)) / 100, tx = x + dx, ty = y - radius * Math.sin(angle);
      const left = dx === 0 ? tx - width / 2 : dx < 0 ? tx - width : tx, box = { left, right: left + width, top: ty - 7, bottom: ty + 7 };
      const covered = taken.reduce((sum, other) => sum + area(box, other), 0) + 2 * (14 * width - area(box, frame));
      if (!best || covered < best.covered - 1e-9) best = { covered, box, tx, ty, radius, anchor: dx === 0 ? "middle" : dx < 0 ? "end" : "start" };
    }
    if (best.covered < 1e-6) break;
  }
  return best;
}

function drawCost() {
  const holder = byId("cost-plot"), kind = data.cost.find(({ name }) => name === costSelect.value);
  byId("no-cost").hidden = Boolean(kind);
  byId("cost-files").hidden = !kind;
  holder.closest("figure").hidden = !kind;
  if (!kind || !holder.clientWidth) return;
  for (const links of byId("cost-files").querySelectorAll("[data-kind]")) links.hidden = links.dataset.kind !== kind.name;
  const { points } = kind, width = holder.clientWidth, height = width < 560 ? 520 : 460, bottom = height - 44, top = 14, right = width - 14;
  const paid = points.map((point) => point.cost).filter((cost) => cost > 0), free = paid.length < points.length;
  const left = 44 + (free ? 44 : 0);
  const low = Math.log10(Math.min(...paid, Infinity)), high = Math.log10(Math.max(...paid, -Infinity));
  const [from, to] = paid.length ? [low - 0.08 * (high - low || 1), high + 0.12 * (high - low || 1)] : [0, 1];
  const lowest = Math.min(0, ...points.map((point) => point.rho)), ceiling = Math.max(...points.map((point) => point.rho), 0.2);
  const floor = lowest - (lowest < 0 ? 0.05 * (ceiling - lowest) : 0); // no dot on the edge
  const px = (cost) => (cost > 0 ? left + ((Math.log10(cost) - from) / (to - from)) * (right - left) : 62);
  const py = (rho) => bottom - ((rho - floor) / (ceiling - floor)) * (bottom - top - 10);
  const svg = make("svg:svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Spearman correlation of each proxy against its cost; the values stand in the leaderboard" });
  const label = (x, y, text, anchor = "middle", fill = "var(--muted)") => svg.appendChild(make("svg:text", { x, y, "text-anchor": anchor, fill }, text));
  const line = (x1, y1, x2, y2, stroke = "var(--grid)") => svg.appendChild(make("svg:line", { x1, y1, x2, y2, stroke }));
  for (const tick of ticks(floor, ceiling, 5)) { line(44, py(tick), right, py(tick)); label(36, py(tick) + 4, short(tick), "end"); }
  if (free) { line(62, top, 62, bottom); label(62, bottom + 18, "0"); line(84, top, 84, bottom, "var(--rule)"); }
  let last = -Infinity;
  for (let power = Math.floor(from); power <= to; power++) {
    for (const step of to - from > 2 ? [1] : [1, 2, 5]) {
      const tick = step * 10 ** power, x = px(tick);
      if (Math.log10(tick) < from || Math.log10(tick) > to || x - last < 34) continue;
      last = x;
      line(x, top, x, bottom);
      label(x, bottom + 18, short(tick));
    }
  }
  label((left + right) / 2, height - 4, kind.label);
  const frame = { left: 46, right: width, top: 0, bottom };
  const taken = points.map((point) => spot(px(point.cost), py(point.rho)));
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const dots = [], chosen = selectedName();
  for (const point of points) {
    const x = px(point.cost), y = py(point.rho), text = point.names.join(", "), picked = point.names.includes(chosen);
    const found = placeName(x, y, pen.measureText(text).width + (picked ? 8 : 0), taken, frame);
    taken.push(found.box);
    if (found.radius > RADII[1]) line(x, y, found.tx, found.ty, "var(--muted)").setAttribute("stroke-width", 0.6);
    const said = `${text}: ${fixed(point.rho)}${point.low === null ? "" : ` (${fixed(point.low)} to ${fixed(point.high)})`}, ${number(point.cost)} ${kind.name}`;
    const group = make("svg:g", { class: "point", "data-proxy": point.names[0], "data-tip": said });
    group.append(make("svg:circle", { cx: x, cy: y, r: picked ? 7 : 5, fill: point.size ? "var(--bg)" : "var(--accent)", stroke: picked ? "var(--fg)" : point.size ? "var(--muted)" : "var(--bg)", "stroke-width": picked ? 2.5 : 1.5 }));
    group.append(make("svg:text", { x: found.tx, y: found.ty + 4, "text-anchor": found.anchor, fill: point.size ? "var(--muted)" : "var(--fg)", ...(picked && { "font-weight": 700 }) }, text));
    dots.push(group);
  }
  svg.append(...dots);
  holder.replaceChildren(svg);
}
costSelect.addEventListener("change", drawCost);
onSelect.push(drawCost);
redraws.push(drawCost);
selectProxy((data.proxies.find(({ name, finite }) => finite && !(name in data.sizes)) ?? data.proxies[0])?.name);
showTheme();
