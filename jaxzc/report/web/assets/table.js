// The leaderboard sorts by its headings; undefined values stay last in either direction.
const board = byId("board");
function sortBy(head) {
  const column = head.cellIndex, text = head.classList.contains("text");
  const current = head.getAttribute("aria-sort");
  const down = (current === "none" ? head.dataset.best : current === "ascending" ? "descending" : "ascending") === "descending"; // the best first
  for (const other of board.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rows = [...board.tBodies[0].rows].map((row, place) => ({ row, place, value: row.cells[column].dataset.v }));
  rows.sort((a, b) => {
    if ((a.value === "") !== (b.value === "")) return a.value === "" ? 1 : -1;
    const order = text ? a.value.localeCompare(b.value, "en") : parseValue(a.value) - parseValue(b.value);
    return (down ? -order : order) || a.place - b.place;
  });
  board.tBodies[0].append(...rows.map(({ row }) => row));
  byId("sorted").textContent = `Sorted by ${head.textContent}, ${down ? "descending" : "ascending"}.`;
}
const parseValue = (text) => (text === "inf" ? Infinity : text === "-inf" ? -Infinity : Number(text));
for (const head of board.tHead.rows[0].cells) head.querySelector("button").addEventListener("click", () => sortBy(head));

// A table that is wider than the page scrolls sideways, in a region that the keyboard reaches.
const boardScroll = byId("board-scroll");
function fitBoard() {
  root.style.setProperty("--bar", `${document.querySelector("body > .bar").offsetHeight}px`); // the headings stick below it
  boardScroll.classList.remove("sideways");
  const wide = board.scrollWidth > boardScroll.clientWidth + 1;
  boardScroll.classList.toggle("sideways", wide);
  for (const [key, value] of Object.entries({ tabindex: "0", role: "region", "aria-labelledby": "h-leaderboard" })) {
    if (wide) boardScroll.setAttribute(key, value);
    else boardScroll.removeAttribute(key);
  }
}
byId("more").addEventListener("change", (event) => { board.classList.toggle("all", event.target.checked); fitBoard(); });
redraws.push(fitBoard);
fitBoard();

// The rows and columns that are shown, in the order in which they are shown, with intervals in columns of their own.
byId("csv").addEventListener("click", () => {
  const shown = (cell) => getComputedStyle(cell).display !== "none";
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const heads = [...board.tHead.rows[0].cells], kept = heads.filter(shown).map((head) => head.cellIndex);
  const ranged = new Set(kept.filter((k) => [...board.tBodies[0].rows].some((row) => row.cells[k].querySelector("small"))));
  const line = (cells) => kept.flatMap((k) => cells(k)).map(quoted).join(",");
  const lines = [line((k) => { const name = heads[k].textContent; return ranged.has(k) ? [name, `${name} low`, `${name} high`] : [name]; })];
  for (const row of board.tBodies[0].rows) {
    lines.push(line((k) => {
      const cell = row.cells[k], small = cell.querySelector("small");
      const around = (small ? small.textContent.split(" to ") : ["", ""]).map((text) => text.replace("\u2212", "-"));
      const value = heads[k].classList.contains("text") || k === 0 ? cell.dataset.v : cell.dataset.v && cell.firstChild.textContent.replace("\u2212", "-");
      return ranged.has(k) ? [value, ...around] : [value];
    }));
  }
  saveFile("leaderboard.csv", `data:text/csv;charset=utf-8,${encodeURIComponent(`${lines.join("\n")}\n`)}`);
});

for (const button of document.querySelectorAll(".copy")) {
  button.addEventListener("click", async () => {
    const pre = button.parentElement.querySelector("pre");
    try {
      await navigator.clipboard.writeText(pre.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(pre); // pages from disk may not reach the clipboard everywhere
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}
