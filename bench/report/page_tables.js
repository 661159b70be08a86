// Tables: sorting and filtering, and the filters that stand over all tables and charts. All can be read without.
"use strict";

const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const made = (name, properties, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
};
const words = new Intl.Collator("en", { numeric: true });
const selected = new Map(); // facet -> the values that are shown; none: all
const tables = [];

// A cell as a number: what is measured first in it, the parts of a sum together. NaN where it has none.
const numeral = /^[<>+±~≤-]?\s*[-−]?\d/;
function number(text) {
  if (text.startsWith("n<") || text.startsWith("rounds<") || !numeral.test(text)) return NaN;
  const plain = text.replace(/(\d),(?=\d{3}(\D|$))/g, "$1").replace("−", "-");
  if (/^[\d.]+( \+ [\d.]+)+$/.test(plain)) return plain.split(" + ").reduce((sum, part) => sum + Number(part), 0);
  const value = parseFloat(plain.replace(/^[<>+±~≤]\s*/, ""));
  return text.startsWith("<") ? value * (1 - 1e-9) : value;
}

const missing = (text) => text === "" || text === "-" || text.startsWith("n<") || text === "failed";
const parts = (text) => text.split(/,\s*|;\s*|\s+on\s+|\s+of\s+|\s+\(/);

class Table {
  constructor(element) {
    this.body = element.tBodies[0];
    this.heads = [...element.tHead.rows[0].cells];
    this.names = this.heads.map((head) => head.textContent);
    this.rows = [...this.body.rows];
    this.cells = this.rows.map((row) => [...row.cells].map((cell) => cell.textContent));
    this.all = parts(element.dataset.all);
    this.numeric = this.names.map((_, at) => {
      const said = this.cells.map((cells) => cells[at]).filter((text) => !missing(text));
      return said.length > 0 && said.every((text) => numeral.test(text));
    });
    this.rows.forEach((row) =>
      [...row.cells].forEach((cell, at) => {
        if (this.numeric[at]) cell.classList.add("number");
        else if (cell.textContent.length > 60) cell.classList.add("long");
      }),
    );
    const list = this.names[0] !== ""; // else a matrix, or facts
    if (list && this.rows.length > 1) this.heads.forEach((head, at) => this.sortable(head, at));
    if (list && this.rows.length > 3) this.filterable(element);
  }

  sortable(head, at) {
    const button = made("button", { type: "button" }, ...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      this.heads.forEach((other) => other.removeAttribute("aria-sort"));
      const next = { null: "ascending", ascending: "descending", descending: null }[before];
      if (next) head.setAttribute("aria-sort", next);
      this.sort(at, next);
    });
  }

  sort(at, direction) {
    const sign = direction === "descending" ? -1 : 1;
    const key = this.cells.map((cells) => (this.numeric[at] ? number(cells[at]) : cells[at]));
    const none = (place) => (this.numeric[at] ? Number.isNaN(key[place]) : missing(key[place]));
    const order = this.rows.map((_, place) => place);
    if (direction) {
      order.sort((one, two) => {
        if (none(one) || none(two)) return none(one) - none(two) || one - two; // what is missing stands last, always
        const less = this.numeric[at] ? key[one] - key[two] : words.compare(key[one], key[two]);
        return sign * less || one - two;
      });
    }
    this.body.append(...order.map((place) => this.rows[place]));
  }

  filterable(element) {
    this.input = made("input", { type: "search", placeholder: "Filter rows", ariaLabel: "Filter rows of this table" });
    this.count = made("span", { role: "status" });
    this.input.addEventListener("input", () => filter());
    element.parentElement.before(made("div", { className: "bar" }, this.input, this.count));
  }

  // Whether a row is about what is selected. A table that does not say a facet is about all of its values.
  about(cells, facet, values) {
    const at = [this.names.indexOf(facet), facet === "status" ? -1 : this.names.indexOf("which")].find((at) => at >= 0);
    const said = at === undefined ? this.all.map((part) => part.replace(`${facet} `, "")) : parts(cells[at]);
    const known = said.filter((part) => known_values.get(facet).has(part));
    return known.length ? known.some((part) => values.has(part)) : at === undefined;
  }

  filter() {
    const asked = (this.input?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    this.rows.forEach((row, place) => {
      const cells = this.cells[place];
      const text = cells.join(" ").toLowerCase();
      row.hidden = !(
        asked.every((word) => text.includes(word)) &&
        [...selected].every(([facet, values]) => this.about(cells, facet, values))
      );
      shown += !row.hidden;
    });
    if (this.count) {
      const total = this.rows.length;
      this.count.textContent = shown === total ? `${total} rows` : `${shown} of ${total} rows`;
      this.count.classList.toggle("less", shown < total);
    }
    return this.rows.length - shown;
  }
}

function filter() {
  const rows = tables.reduce((sum, table) => sum + table.filter(), 0);
  let marks = 0;
  for (const mark of all("svg [data-network]")) {
    const off = [...selected].some(([facet, values]) => facet in mark.dataset && !values.has(mark.dataset[facet]));
    mark.classList.toggle("off", off);
    marks += off && mark.classList.contains("mark");
  }
  let maps = 0;
  for (const details of all("details:has(.heat)")) {
    const named = parts(details.querySelector("summary").textContent.split(":")[0]);
    const networks = selected.get("network");
    details.hidden = networks !== undefined && !named.some((name) => networks.has(name));
    maps += details.hidden;
  }
  const said = [[rows, "rows"], [marks, "marks of charts"], [maps, "confusion tables"]].filter(([count]) => count);
  const text = said.map(([count, of]) => `${count} ${of}`).join(", ");
  document.getElementById("hidden").textContent = text && `Hidden: ${text}`;
  document.getElementById("reset").hidden = !text;
}

const known_values = new Map(
  Object.entries(JSON.parse(document.getElementById("values").textContent)).map(([name, of]) => [name, new Set(of)]),
);

function facets() {
  for (const [facet, values] of known_values) {
    if (values.size < 2) continue;
    const summary = made("summary", { textContent: facet });
    const boxes = [...values].map((value) => made("input", { type: "checkbox", value }));
    const labels = boxes.map((box) => made("label", {}, box, box.value));
    const details = made("details", { className: "facet" }, summary, made("div", {}, ...labels));
    const changed = () => {
      const on = boxes.filter((box) => box.checked).map((box) => box.value);
      if (on.length) selected.set(facet, new Set(on));
      else selected.delete(facet);
      summary.textContent = on.length ? `${facet}: ${on.length === 1 ? on[0] : `${on.length} of ${values.size}`}` : facet;
      details.classList.toggle("set", on.length > 0);
    };
    details.addEventListener("change", () => (changed(), filter()));
    details.addEventListener("reset", () => (boxes.forEach((box) => (box.checked = false)), changed()));
    document.getElementById("facets").append(details);
  }
  document.addEventListener("click", (event) => {
    for (const details of all(".facet[open]")) if (!details.contains(event.target)) details.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    hide();
    for (const details of all(".facet[open]")) {
      if (details.contains(document.activeElement)) details.querySelector("summary").focus();
      details.open = false;
    }
  });
  document.getElementById("reset").addEventListener("click", () => {
    for (const details of all(".facet")) details.dispatchEvent(new Event("reset"));
    for (const table of tables) if (table.input) table.input.value = "";
    filter();
  });
}
