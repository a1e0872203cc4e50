// One proxy is selected on the whole page: a click on its name, track, dot or row selects it in every table and chart.
const proxySelect = byId("proxy");
for (const { name } of data.proxies) proxySelect.append(new Option(name, name));
const selectedName = () => proxySelect.value;
const onSelect = []; // called with the name

function selectProxy(name) {
  if (!data.proxies.some((proxy) => proxy.name === name)) return;
  proxySelect.value = name;
  for (const element of document.querySelectorAll("[data-proxy]")) element.classList.toggle("selected", element.dataset.proxy === name);
  for (const element of document.querySelectorAll(".selected-name")) element.textContent = name;
  for (const pick of document.querySelectorAll("button.pick")) pick.setAttribute("aria-pressed", String(pick.dataset.proxy === name));
  const heads = [...(byId("heat")?.querySelectorAll("thead th") ?? [])], at = heads.findIndex((head) => head.dataset.proxy === name);
  for (const row of byId("heat")?.tBodies[0]?.rows ?? []) [...row.cells].forEach((cell, k) => { if (k) cell.classList.toggle("selected", k === at + 1 && at >= 0); });
  for (const listener of onSelect) listener(name);
}
proxySelect.addEventListener("change", () => selectProxy(selectedName()));
document.addEventListener("click", (event) => {
  if (event.target.closest("thead button:not(.pick), a, select, input, label, .files")) return;
  const element = event.target.closest("[data-proxy]");
  if (element) selectProxy(element.dataset.proxy);
});
