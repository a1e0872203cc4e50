// Networks under one proxy: two linked plots of the same points, and the network that was picked, to be read and copied.
const names = { params: "parameters", flops: "FLOPs" };
const sizeSelect = byId("size"), topSelect = byId("top"), verticalSelect = byId("vertical");
for (const name of Object.keys(data.sizes)) sizeSelect.append(new Option(names[name], name));
const hasSize = sizeSelect.options.length > 0;
byId("sizes").hidden = !hasSize;
let dots = [], kept = null; // kept: the dot whose network stands below
const proxyNow = () => data.proxies[proxySelect.selectedIndex];

// The dots of the selected proxy, worst place first, so that the best are drawn on top.
function gather() {
  const proxy = proxyNow(), size = sizeSelect.value, before = kept?.at;
  const top = new Set(proxy.top.slice(0, Number(topSelect.value))), front = new Set(hasSize ? proxy.fronts[size] : []);
  dots = proxy.score.map((score, k) => {
    const at = k < data.background ? k : proxy.extra[k - data.background];
    return { at, score, place: proxy.place[k], truth: data.truth[at], truthPlace: data.truth_place[at], size: hasSize ? data.sizes[size][at] : null, background: k < data.background, top: top.has(at), front: front.has(at) };
  }).filter((dot) => dot.place !== null && dot.truth !== null && (dot.background || dot.top || dot.front)).sort((a, b) => b.place - a.place);
  // The network that the reader kept stays, where this proxy draws it; or else its first choice.
  kept = dots.find((dot) => dot.at === before) ?? dots.at(-1) ?? null;
  // Among all first choices, drawn or not: the first 64 always are.
  const picks = dots.filter((dot) => dot.top), best = Math.max(...picks.map((dot) => dot.truth));
  byId("finding").textContent = picks.length ? `Of ${proxy.name}'s first ${picks.length === 1 ? "choice" : `${picks.length} choices`}, the best network has ${data.metric} ${number(best, 5)}; the best there is has ${number(data.best, 5)}.` : `${proxy.name} has no finite score here.`;
}

function facts(dot) {
  const lines = [`${selectedName()}: ${number(dot.score, 5)}, place ${number(dot.place)} of ${number(proxyNow().finite)}`, `${data.metric}: ${number(dot.truth, 5)}, place ${number(dot.truthPlace)} of ${number(data.networks)}`];
  for (const [name, values] of Object.entries(data.sizes)) lines.push(`${names[name]}: ${number(values[dot.at], 7)}`);
  return lines;
}

const finiteOf = (values) => values.filter((value) => value !== null);
function span(values, pad = 0.04) {
  const low = values.length ? values.reduce((a, b) => Math.min(a, b)) : 0, high = values.length ? values.reduce((a, b) => Math.max(a, b)) : 1;
  const room = (high - low || 1) * pad;
  return [low - room, high + room];
}
const placeAxis = (label, most) => ({ label, range: span([1, most]), flip: true, ticks: (count) => [1, ...ticks(1, most, count).filter((tick) => tick > 1)], format: (tick) => tick.toLocaleString("en") });
const valueAxis = (label, values) => { const range = span(values); return { label, range, flip: false, ticks: (count) => ticks(range[0], range[1], count), format: short }; };
const said = (what) => `Scatter plot of ${number(data.networks)} networks under ${selectedName()}: ${what}. Arrow keys go from network to network.`;

const panels = [
  new Scatter(byId("against-metric"), () => {
    const value = verticalSelect.value === "value", up = value ? valueAxis(data.metric, finiteOf(data.truth)) : placeAxis(`place by ${data.metric}`, data.networks);
    return { dots, up, across: placeAxis(`place by ${selectedName()}, best to the right`, proxyNow().finite), rule: value ? data.best : 1, place: (dot) => [dot.place, value ? dot.truth : dot.truthPlace], label: said(`place by score across, ${up.label} up`) };
  }),
];
if (hasSize) {
  panels.push(new Scatter(byId("against-size"), () => {
    const across = valueAxis(names[sizeSelect.value], finiteOf(data.sizes[sizeSelect.value]));
    return { dots, across, up: placeAxis(`place by ${selectedName()}`, proxyNow().finite), rule: null, steps: true, place: (dot) => [dot.size, dot.place], label: said(`${across.label} across, place by score up`) };
  }));
} else byId("against-size").parentElement.remove();

function show(dot) {
  for (const panel of panels) panel.mark(dot);
}
function keep(dot) {
  kept = dot;
  show(dot);
  const box = byId("network");
  box.hidden = !dot;
  if (!dot) return;
  box.querySelector("pre").textContent = data.archs[dot.at];
  box.querySelector("p").textContent = facts(dot).join("; ");
}
const drawAll = () => panels.forEach((panel) => panel.draw(kept));
const change = () => { gather(); hideTip(); drawAll(); keep(kept); };

for (const panel of panels) {
  const { svg } = panel;
  const point = (dot, x, y) => { show(dot ?? kept); if (dot) showTip([data.archs[dot.at], ...facts(dot)].join("\n"), spot(x, y, 12)); else hideTip(); };
  svg.addEventListener("pointermove", (event) => point(panel.near(event, dots), event.clientX, event.clientY));
  svg.addEventListener("click", (event) => { const dot = panel.near(event, dots); if (dot) keep(dot); });
  svg.addEventListener("pointerleave", () => { show(kept); hideTip(); });
  svg.addEventListener("keydown", (event) => {
    const last = dots.length - 1, at = dots.indexOf(kept);
    const next = { ArrowRight: at < 0 ? last : Math.min(at + 1, last), ArrowLeft: at < 0 ? last : Math.max(at - 1, 0), Home: 0, End: last }[event.key];
    if (next === undefined || !dots.length) return;
    event.preventDefault();
    keep(dots[next]);
  });
  const name = panel.holder.id.replace("-", "_");
  for (const button of panel.holder.parentElement.querySelectorAll("[data-save]")) button.addEventListener("click", () => saveDrawing(svg, slug(`${selectedName()}_${name}`), button.dataset.save));
}
for (const select of [sizeSelect, topSelect, verticalSelect]) select.addEventListener("change", change);
onSelect.push(change);
redraws.push(drawAll);
