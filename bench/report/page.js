// Tooltips, dark or light, folding; and the start of it all. It is one script with page_tables.js, which stands before it.

const tip = document.getElementById("tip");
const hide = () => (tip.hidden = true);

function told(mark) {
  if (mark.tagName !== "TD") return mark.getAttribute("aria-label");
  const head = (cell) => cell.textContent;
  const truth = head(mark.closest("table").tHead.rows[0].cells[mark.cellIndex]);
  return `Of true ${truth}, ${mark.textContent === "-" ? "no faces" : `${(100 * mark.textContent).toFixed(1)} %`} predicted ${head(mark.parentElement.cells[0])}`;
}

function show(mark, x, y) {
  tip.textContent = told(mark);
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const left = x + 14 + width > innerWidth ? x - 14 - width : x + 14;
  const top = y + 14 + height > innerHeight ? y - 14 - height : y + 14;
  tip.style.left = `${Math.max(4, Math.min(left, innerWidth - width - 4))}px`;
  tip.style.top = `${Math.max(4, top)}px`;
}

// One stop of the Tab key a chart or heat map; the arrow keys go on from mark to mark.
function tooltips() {
  const marks = ".mark, .heat td";
  for (const chart of all("svg.chart, table.heat")) all(marks, chart)[0]?.setAttribute("tabindex", "0");
  document.addEventListener("pointermove", (event) => {
    const mark = event.target.closest?.(marks);
    if (mark) show(mark, event.clientX, event.clientY);
    else if (!document.activeElement.matches(marks)) hide();
  });
  document.addEventListener("focusin", (event) => {
    if (!event.target.matches(marks)) return hide();
    const box = event.target.getBoundingClientRect();
    show(event.target, box.right, box.bottom);
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", (event) => {
    const mark = event.target;
    if (!mark.matches?.(marks)) return;
    const others = all(".mark:not(.off):not(.off *), td", mark.closest("svg, tbody"));
    const columns = mark.tagName === "TD" ? mark.parentElement.cells.length - 1 : 1;
    const at = others.indexOf(mark);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns, ArrowUp: at - columns, Home: 0, End: others.length - 1 };
    const next = others[to[event.key]];
    if (!next) return;
    event.preventDefault();
    mark.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  });
}

// The choice is kept where the browser lets a page keep anything; else it lasts as long as the page.
function colours() {
  const button = document.getElementById("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  const now = () => chosen ?? (dark.matches ? "dark" : "light");
  const apply = () => {
    document.documentElement.style.colorScheme = chosen ?? "";
    button.ariaLabel = `${now() === "dark" ? "Light" : "Dark"} colours`;
    button.title = button.ariaLabel;
  };
  try {
    chosen = localStorage.getItem("agebench-colours");
  } catch {}
  if (chosen !== "dark" && chosen !== "light") chosen = null;
  button.addEventListener("click", () => {
    chosen = now() === "dark" ? "light" : "dark";
    try {
      localStorage.setItem("agebench-colours", chosen);
    } catch {}
    apply();
  });
  dark.addEventListener("change", apply);
  apply();
}

function folds() {
  const button = document.getElementById("unfold");
  const details = all("main details");
  const set = (open) => details.forEach((one) => (one.open = open));
  button.addEventListener("click", () => {
    const open = button.getAttribute("aria-pressed") === "false";
    button.setAttribute("aria-pressed", open);
    set(open);
  });
  const target = () => {
    const found = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!found) return;
    const within = [];
    for (let at = found; at; at = at.parentElement) if (at.tagName === "DETAILS" && !at.open) within.push(at);
    within.forEach((one) => (one.open = true));
    if (within.length) found.scrollIntoView();
  };
  addEventListener("hashchange", target);
  addEventListener("beforeprint", () => set(true));
  target();
}

for (const element of all("main table:not(.heat)")) tables.push(new Table(element));
facets();
tooltips();
colours();
folds();
filter();
document.querySelector(".tools").hidden = false;
