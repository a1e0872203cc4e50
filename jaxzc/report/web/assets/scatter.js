// A scatter plot as SVG: text that stays text, sharp in print, and a file at a click. Thousands of dots are one path.
class Scatter {
  // describe(): { across, up, rule, dots, front, top, label }; axes { label, range, flip, ticks, format }; a dot has x and y in data.
  constructor(holder, describe) {
    this.holder = holder;
    this.describe = describe;
    this.svg = holder.appendChild(make("svg:svg", { role: "img", tabindex: "0" }));
  }

  draw(chosen) {
    const width = this.holder.clientWidth, height = width < 420 ? 320 : 380;
    if (!width) return;
    const { svg } = this, plot = this.describe();
    const left = 54, right = width - 10, top = 26, bottom = height - 40;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("aria-label", plot.label);
    const map = (axis, from, to) => (value) => { const share = (value - axis.range[0]) / (axis.range[1] - axis.range[0]); return from + (axis.flip ? 1 - share : share) * (to - from); };
    const px = map(plot.across, left, right), py = map(plot.up, bottom, top);
    this.at = (dot) => { const [x, y] = plot.place(dot); return [px(x), py(y)]; };
    const parts = [], round = (value) => value.toFixed(1);
    const line = (x1, y1, x2, y2, stroke, dash = "") => parts.push(make("svg:line", { x1: round(x1), y1: round(y1), x2: round(x2), y2: round(y2), stroke, ...(dash && { "stroke-dasharray": dash }) }));
    const write = (x, y, anchor, text) => parts.push(make("svg:text", { x: round(x), y: round(y), "text-anchor": anchor, fill: "var(--muted)" }, text));
    for (const tick of plot.across.ticks(Math.max(2, width / 100))) {
      line(px(tick), top, px(tick), bottom, "var(--grid)");
      write(px(tick), bottom + 16, right - px(tick) < 16 ? "end" : "middle", plot.across.format(tick));
    }
    write((left + right) / 2, bottom + 34, "middle", plot.across.label);
    for (const tick of plot.up.ticks(5)) { line(left, py(tick), right, py(tick), "var(--grid)"); write(left - 8, py(tick) + 4, "end", plot.up.format(tick)); }
    write(4, 12, "start", plot.up.label);
    if (plot.rule !== null) line(left, py(plot.rule), right, py(plot.rule), "var(--muted)", "4 4");
    const many = plot.dots.length > 800, faint = plot.dots.filter((dot) => dot.background && !dot.top);
    // A line of no length with round ends is a disc.
    parts.push(make("svg:path", { d: faint.map((dot) => { const [x, y] = this.at(dot); return `M${round(x)} ${round(y)}h0`; }).join(""), stroke: "var(--dot)", "stroke-width": many ? 4 : 5.2, "stroke-linecap": "round", opacity: many ? 0.45 : 0.6, fill: "none" }));
    const front = plot.dots.filter((dot) => dot.front).sort((a, b) => a.size - b.size).map((dot) => this.at(dot));
    if (plot.steps && front.length) parts.push(make("svg:path", { d: front.map(([x, y], k) => (k ? `H${round(x)}V${round(y)}` : `M${round(x)} ${round(y)}`)).join("") + `H${round(right)}`, stroke: "var(--fg)", fill: "none" }));
    for (const dot of plot.dots) if (dot.top) { const [cx, cy] = this.at(dot).map(round); parts.push(make("svg:circle", { cx, cy, r: 4.6, fill: "var(--accent)", stroke: "var(--bg)" })); }
    for (const [x, y] of front) parts.push(make("svg:path", { d: `M${round(x)} ${round(y - 6.5)}l6.5 6.5l-6.5 6.5l-6.5 -6.5z`, stroke: "var(--fg)", "stroke-width": 1.4, fill: "none" }));
    this.cursor = make("svg:circle", { r: 8.5, stroke: "var(--fg)", "stroke-width": 2, fill: "none" });
    svg.replaceChildren(...parts, this.cursor);
    this.mark(chosen);
  }

  mark(chosen) {
    if (!this.cursor) return;
    this.cursor.setAttribute("visibility", chosen ? "visible" : "hidden");
    if (!chosen) return;
    const [cx, cy] = this.at(chosen);
    this.cursor.setAttribute("cx", cx);
    this.cursor.setAttribute("cy", cy);
  }

  // The dot nearest to the pointer, if one is near.
  near(event, dots) {
    const box = this.svg.getBoundingClientRect(), reach = event.pointerType === "touch" ? 28 : 14;
    let found = null, least = reach * reach;
    for (const dot of dots) {
      const [x, y] = this.at(dot), gap = (x - event.clientX + box.left) ** 2 + (y - event.clientY + box.top) ** 2;
      if (gap <= least) { least = gap; found = dot; }
    }
    return found;
  }
}
