// Networks under one proxy: two linked plots of the same points, on canvases because there may be thousands.
const names = { params: "parameters", flops: "FLOPs" };
const proxySelect = byId("proxy"), sizeSelect = byId("size"), topSelect = byId("top"), verticalSelect = byId("vertical");
for (const { name } of data.proxies) proxySelect.append(new Option(name, name));
for (const name of Object.keys(data.sizes)) sizeSelect.append(new Option(names[name], name));
const hasSize = sizeSelect.options.length > 0;
byId("sizes").hidden = !hasSize;
let dots = [], chosen = null;

// The dots of the selected proxy, worst place first, so that the best are drawn on top.
function gather() {
  const proxy = data.proxies[proxySelect.selectedIndex], size = sizeSelect.value;
  const top = new Set(proxy.top.slice(0, Number(topSelect.value))), front = new Set(hasSize ? proxy.fronts[size] : []);
  dots = proxy.score.map((score, k) => {
    const at = k < data.background ? k : proxy.extra[k - data.background];
    return { at, score, place: proxy.place[k], truth: data.truth[at], truthPlace: data.truth_place[at], size: hasSize ? data.sizes[size][at] : null, background: k < data.background, top: top.has(at), front: front.has(at) };
  }).filter((dot) => dot.place !== null && dot.truth !== null && (dot.background || dot.top || dot.front)).sort((a, b) => b.place - a.place);
  chosen = null;
  // Among all first choices, drawn or not: the first 64 always are.
  const picks = dots.filter((dot) => dot.top), best = Math.max(...picks.map((dot) => dot.truth));
  byId("finding").textContent = picks.length ? `Of ${proxy.name}'s first ${picks.length === 1 ? "choice" : `${picks.length} choices`}, the best network has ${data.metric} ${number(best, 5)}; the best there is has ${number(data.best, 5)}.` : `${proxy.name} has no finite score here.`;
}

function text(dot) {
  const lines = [data.archs[dot.at], `${proxySelect.value}: ${number(dot.score, 5)}, place ${number(dot.place)} of ${number(data.proxies[proxySelect.selectedIndex].finite)}`, `${data.metric}: ${number(dot.truth, 5)}, place ${number(dot.truthPlace)} of ${number(data.networks)}`];
  for (const [name, values] of Object.entries(data.sizes)) lines.push(`${names[name]}: ${number(values[dot.at], 7)}`);
  return lines.join("\n");
}

const finiteOf = (values) => values.filter((value) => value !== null);
function span(values, pad = 0.04) {
  const low = values.length ? values.reduce((a, b) => Math.min(a, b)) : 0, high = values.length ? values.reduce((a, b) => Math.max(a, b)) : 1;
  const room = (high - low || 1) * pad;
  return [low - room, high + room];
}
const placeAxis = (label, most) => ({ label, range: span([1, most]), flip: true, ticks: (count) => [1, ...ticks(1, most, count).filter((tick) => tick > 1)], format: (tick) => tick.toLocaleString("en") });
const valueAxis = (label, values) => { const range = span(values); return { label, range, flip: false, ticks: (count) => ticks(range[0], range[1], count), format: short }; };

const panels = [
  {
    canvas: byId("against-metric"), x: (dot) => dot.place, y: (dot) => (verticalSelect.value === "value" ? dot.truth : dot.truthPlace),
    axes: () => [placeAxis("place by score, best to the right", data.proxies[proxySelect.selectedIndex].finite), verticalSelect.value === "value" ? valueAxis(data.metric, finiteOf(data.truth)) : placeAxis(`place by ${data.metric}`, data.networks)],
    rule: () => (verticalSelect.value === "value" ? data.best : 1),
  },
  {
    canvas: byId("against-size"), x: (dot) => dot.size, y: (dot) => dot.place,
    axes: () => [valueAxis(names[sizeSelect.value], finiteOf(data.sizes[sizeSelect.value])), placeAxis("place by score", data.proxies[proxySelect.selectedIndex].finite)],
    rule: () => null, line: true,
  },
];
if (!hasSize) panels.pop().canvas.hidden = true;

function draw(panel) {
  const { canvas } = panel, width = canvas.clientWidth, height = canvas.clientHeight, scale = Math.max(devicePixelRatio || 1, 2);
  if (!width) return;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const [across, up] = panel.axes(), left = 50, right = width - 10, top = 26, bottom = height - 40;
  const map = (axis, from, to) => (value) => { const share = (value - axis.range[0]) / (axis.range[1] - axis.range[0]); return from + (axis.flip ? 1 - share : share) * (to - from); };
  const px = map(across, left, right), py = map(up, bottom, top);
  panel.at = (dot) => [px(panel.x(dot)), py(panel.y(dot))];
  const fg = colour("fg"), bg = colour("bg"), muted = colour("muted"), accent = colour("accent");
  const line = (x0, y0, x1, y1, style, dash = []) => { pen.strokeStyle = style; pen.setLineDash(dash); pen.lineWidth = 1; pen.beginPath(); pen.moveTo(x0, y0); pen.lineTo(x1, y1); pen.stroke(); pen.setLineDash([]); };
  const grid = colour("grid");
  pen.fillStyle = muted;
  pen.textAlign = "center";
  for (const tick of across.ticks(Math.max(2, width / 90))) { line(px(tick), top, px(tick), bottom, grid); pen.fillText(across.format(tick), px(tick), bottom + 16); }
  pen.fillText(across.label, (left + right) / 2, bottom + 34);
  pen.textAlign = "right";
  for (const tick of up.ticks(5)) { line(left, py(tick), right, py(tick), grid); pen.fillText(up.format(tick), left - 8, py(tick) + 4); }
  pen.textAlign = "left";
  pen.fillText(up.label, 4, 12);
  if (panel.rule() !== null) line(left, py(panel.rule()), right, py(panel.rule()), muted, [4, 4]);
  const disc = (dot, radius, fill) => { const [x, y] = panel.at(dot); pen.beginPath(); pen.arc(x, y, radius, 0, 2 * Math.PI); pen.fillStyle = fill; pen.fill(); };
  pen.globalAlpha = dots.length > 800 ? 0.35 : 0.55;
  for (const dot of dots) if (dot.background && !dot.top) disc(dot, dots.length > 800 ? 2 : 2.6, colour.dot);
  pen.globalAlpha = 1;
  const front = dots.filter((dot) => dot.front).sort((a, b) => a.size - b.size);
  if (panel.line && front.length) {
    pen.strokeStyle = fg; pen.lineWidth = 1; pen.beginPath();
    front.forEach((dot, k) => { const [x, y] = panel.at(dot); if (k) { pen.lineTo(x, panel.at(front[k - 1])[1]); pen.lineTo(x, y); } else pen.moveTo(x, y); });
    pen.lineTo(right, panel.at(front[front.length - 1])[1]);
    pen.stroke();
  }
  for (const dot of dots) if (dot.top) { disc(dot, 5.2, bg); disc(dot, 4.2, accent); }
  pen.strokeStyle = fg; pen.lineWidth = 1.4;
  for (const dot of front) { const [x, y] = panel.at(dot), r = 6.5; pen.beginPath(); pen.moveTo(x, y - r); pen.lineTo(x + r, y); pen.lineTo(x, y + r); pen.lineTo(x - r, y); pen.closePath(); pen.stroke(); }
  if (chosen) { const [x, y] = panel.at(chosen); pen.lineWidth = 2; pen.strokeStyle = fg; pen.beginPath(); pen.arc(x, y, 8, 0, 2 * Math.PI); pen.stroke(); disc(chosen, 4, chosen.top ? accent : fg); }
}
const drawAll = () => { colour.dot = colour("dot"); panels.forEach(draw); };
const change = () => { gather(); hideTip(); drawAll(); };

function pick(panel, dot, x, y, aloud) {
  chosen = dot;
  drawAll();
  if (!dot) return hideTip();
  const box = panel.canvas.getBoundingClientRect(), [dx, dy] = panel.at(dot);
  showTip(text(dot), x ?? box.left + dx, y ?? box.top + dy);
  if (aloud) byId("picked").textContent = text(dot);
}
for (const panel of panels) {
  const { canvas } = panel;
  const near = (event) => {
    const box = canvas.getBoundingClientRect(), reach = event.pointerType === "touch" ? 28 : 14;
    let found = null, least = reach * reach;
    for (const dot of dots) {
      const [x, y] = panel.at(dot), gap = (x - event.clientX + box.left) ** 2 + (y - event.clientY + box.top) ** 2;
      if (gap <= least) { least = gap; found = dot; }
    }
    pick(panel, found, event.clientX, event.clientY, false);
  };
  canvas.addEventListener("pointermove", near);
  canvas.addEventListener("pointerdown", near);
  canvas.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") pick(panel, null); });
  canvas.addEventListener("blur", () => pick(panel, null));
  canvas.addEventListener("keydown", (event) => {
    const last = dots.length - 1, at = dots.indexOf(chosen);
    const next = { ArrowRight: at < 0 ? last : Math.min(at + 1, last), ArrowLeft: at < 0 ? last : Math.max(at - 1, 0), Home: 0, End: last }[event.key];
    if (next === undefined || !dots.length) return;
    event.preventDefault();
    pick(panel, dots[next], undefined, undefined, true);
  });
}
for (const select of [proxySelect, sizeSelect, topSelect, verticalSelect]) select.addEventListener("change", change);
redraws.push(drawAll);
change();
