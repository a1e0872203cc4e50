// Agreement against cost, as SVG: one labelled dot per proxy. A cost of 0 has a column of its own, left of the logarithmic axis.
const costSelect = byId("cost-kind");
for (const { name, label } of data.cost.kinds) costSelect.append(new Option(label, name));
byId("cost-controls").hidden = data.cost.kinds.length < 2;

function drawCost() {
  const kind = costSelect.value, holder = byId("cost-plot");
  const rows = data.cost.rows.filter((row) => row.rho !== null && row.cost[kind] !== undefined && row.cost[kind] >= 0);
  byId("no-cost").hidden = data.cost.kinds.length > 0;
  holder.closest("figure").hidden = data.cost.kinds.length === 0;
  if (!holder.clientWidth) return;
  const width = holder.clientWidth, height = width < 560 ? 360 : 420, bottom = height - 44, top = 14, right = width - 14;
  const paid = rows.map((row) => row.cost[kind]).filter((cost) => cost > 0), free = paid.length < rows.length;
  const left = 44 + (free ? 44 : 0);
  const low = Math.log10(Math.min(...paid, Infinity)), high = Math.log10(Math.max(...paid, -Infinity));
  const [from, to] = paid.length ? [low - 0.08 * (high - low || 1), high + 0.12 * (high - low || 1)] : [0, 1];
  const floor = Math.min(0, ...rows.map((row) => row.rho)), ceiling = Math.max(...rows.map((row) => row.rho), 0.2);
  const px = (cost) => (cost > 0 ? left + ((Math.log10(cost) - from) / (to - from)) * (right - left) : 62);
  const py = (rho) => bottom - ((rho - floor) / (ceiling - floor)) * (bottom - top - 10);
  const svg = make("svg:svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Spearman correlation of each proxy against its cost; the values stand in the leaderboard" });
  const label = (x, y, text, anchor = "middle", fill = "var(--muted)") => svg.appendChild(make("svg:text", { x, y, "text-anchor": anchor, fill }, text));
  const line = (x1, y1, x2, y2, stroke = "var(--grid)") => svg.append(make("svg:line", { x1, y1, x2, y2, stroke }));
  for (const tick of ticks(floor, ceiling, 5)) { line(44, py(tick), right, py(tick)); label(36, py(tick) + 4, short(tick), "end"); }
  if (free) { line(62, top, 62, bottom); label(62, bottom + 18, "0"); line(84, top, 84, bottom, "var(--rule)"); }
  for (let power = Math.floor(from); power <= to; power++) {
    for (const step of to - from > 2 ? [1] : [1, 2, 5]) {
      const tick = step * 10 ** power;
      if (Math.log10(tick) >= from && Math.log10(tick) <= to) { line(px(tick), top, px(tick), bottom); label(px(tick), bottom + 18, short(tick)); }
    }
  }
  label((left + right) / 2, height - 4, data.cost.kinds.find(({ name }) => name === kind).label);
  // Labels go where they hide no dot and no other label; a proxy without room keeps its name for the pointer.
  const taken = rows.map((row) => ({ x0: px(row.cost[kind]) - 6, x1: px(row.cost[kind]) + 6, y0: py(row.rho) - 6, y1: py(row.rho) + 6 }));
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  for (const row of rows) {
    const x = px(row.cost[kind]), y = py(row.rho), baseline = row.name in data.sizes;
    const said = `${row.name}: ${number(row.rho, 3)}${row.low === null ? "" : ` (${number(row.low, 3)} to ${number(row.high, 3)})`}, ${number(row.cost[kind])} ${kind}`;
    const dot = make("svg:circle", { cx: x, cy: y, r: 5, fill: baseline ? "var(--bg)" : "var(--accent)", stroke: baseline ? "var(--muted)" : "var(--bg)", "stroke-width": 1.5, "data-tip": said });
    svg.append(dot);
    const long = pen.measureText(row.name).width;
    const spots = [[x + 9, y + 4, "start"], [x - 9, y + 4, "end"], [x, y - 10, "middle"], [x, y + 18, "middle"], [x + 8, y - 7, "start"], [x + 8, y + 15, "start"], [x - 8, y - 7, "end"], [x - 8, y + 15, "end"]];
    for (const [tx, ty, anchor] of spots) {
      const x0 = anchor === "start" ? tx : anchor === "end" ? tx - long : tx - long / 2;
      const box = { x0, x1: x0 + long, y0: ty - 11, y1: ty + 2 };
      if (box.x0 < 46 || box.x1 > width || taken.some((other) => box.x0 < other.x1 && box.x1 > other.x0 && box.y0 < other.y1 && box.y1 > other.y0)) continue;
      taken.push(box);
      label(tx, ty, row.name, anchor, baseline ? "var(--muted)" : "var(--fg)");
      break;
    }
  }
  holder.replaceChildren(svg);
}
costSelect.addEventListener("change", drawCost);
redraws.push(drawCost);
drawCost();
showTheme();
