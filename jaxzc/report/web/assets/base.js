"use strict";
// What every part of the page uses: the data, colours of the theme, numbers, files for the reader.
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

// A probe turns light-dark(...) into the colour that holds now, which a file needs.
const probe = document.body.appendChild(make("span", { class: "hidden", "aria-hidden": "true" }));
function colour(name) {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

function number(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "\u2013";
  const size = Math.abs(value);
  const text = size >= 1e15 || (size > 0 && size < 1e-4) ? value.toExponential(digits - 1) : Number(value.toPrecision(Math.max(digits, Math.ceil(Math.log10(size + 1))))).toLocaleString("en");
  return text.replace("-", "\u2212");
}

const fixed = (value) => (value === null || value === undefined ? "\u2013" : value.toFixed(3).replace("-", "\u2212"));

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

// A file that the reader's browser saves: what is shown, nothing is sent.
function saveFile(name, href) {
  const link = make("a", { href, download: name });
  document.body.append(link);
  link.click();
  link.remove();
}
const slug = (text) => text.replace(/[^A-Za-z0-9_.-]+/g, "_").replace(/^_|_$/g, "") || "jaxzc";

async function saveDrawing(svg, name, kind) {
  const copy = svg.cloneNode(true), [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  for (const [key, value] of Object.entries({ xmlns: "http://www.w3.org/2000/svg", width, height, "font-family": "system-ui, sans-serif", "font-size": 12 })) copy.setAttribute(key, value);
  copy.removeAttribute("tabindex");
  for (const node of copy.querySelectorAll("[data-tip]")) node.removeAttribute("data-tip");
  copy.prepend(make("svg:rect", { width, height, fill: "var(--bg)" }));
  const text = new XMLSerializer().serializeToString(copy).replace(/var\(--([a-z]+)\)/g, (_, colourName) => colour(colourName));
  const href = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  if (kind === "svg") return saveFile(`${name}.svg`, href);
  const image = new Image();
  image.src = href;
  await image.decode();
  const canvas = make("canvas", { width: 3 * width, height: 3 * height });
  const pen = canvas.getContext("2d");
  pen.scale(3, 3);
  pen.drawImage(image, 0, 0, width, height);
  saveFile(`${name}.png`, canvas.toDataURL("image/png"));
}

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
