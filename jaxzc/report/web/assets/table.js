// The leaderboard sorts by its headings; undefined values stay last in either direction.
const board = byId("board");
function sortBy(head) {
  const column = head.cellIndex, text = head.classList.contains("text");
  const current = head.getAttribute("aria-sort");
  const down = current === "none" ? !text : current === "ascending";
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
byId("more").addEventListener("change", (event) => board.classList.toggle("all", event.target.checked));

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
