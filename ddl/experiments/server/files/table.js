// The table of experiments. What comes from experiments is always set as text.

const COMPARISON = /^(.+?)(<=|>=|=|<|>)(.*)$/;

export class Table {
  constructor(element, filterInput, page, on) {
    Object.assign(this, { element, filterInput, page, on, lines: new Map(), key: null, down: false });
    this.body = element.tBodies[0];
    filterInput.addEventListener("input", () => this.filter());
    this.body.addEventListener("click", (event) => this.clicked(event));
    this.body.addEventListener("change", (event) => this.picked(event));
  }

  columns() {
    const { parameters, results } = this.page.head.columns;
    const fixed = (name, value, kind) => ({ name, value, kind });
    return [
      fixed("experiment", (row) => row.n, "name"),
      fixed("state", (row) => row.state, "state"),
      fixed("epoch", (row) => row.epoch, "epoch"),
      ...parameters.map((name) => fixed(name, (row) => row.parameters[name], "parameter")),
      ...results.map((name) => fixed(name, (row) => row.results[name]?.[0], "result")),
      fixed("findings", (row) => row.findings || null, "count"),
      fixed("node", (row) => row.node, "text"),
      fixed("why", (row) => row.why, "why"),
    ];
  }

  rebuild() {
    this.heads = this.columns();
    const head = document.createElement("tr");
    head.append(document.createElement("th"));
    this.heads.forEach((column) => {
      const cell = document.createElement("th");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = column.name;
      button.addEventListener("click", () => this.sortBy(column.name));
      if (["epoch", "result", "count"].includes(column.kind)) cell.className = "n";
      if (this.key === column.name) cell.ariaSort = this.down ? "descending" : "ascending";
      cell.append(button);
      head.append(cell);
    });
    this.element.tHead.replaceChildren(head);
    this.lines.clear();
    this.body.replaceChildren();
    this.update([...this.page.rows.values()], [], true);
  }

  update(rows, gone, isFirst = false) {
    for (const n of gone) { this.lines.get(n)?.remove(); this.lines.delete(n); }
    for (const row of rows) {
      const line = this.line(row);
      if (!isFirst && this.lines.get(row.n)?.dataset.epoch !== line.dataset.epoch) line.classList.add("new");
      const old = this.lines.get(row.n);
      const focused = old?.contains(document.activeElement) ? document.activeElement.tagName : null;
      old?.replaceWith(line);
      this.lines.set(row.n, line);
      if (focused) line.querySelector(focused)?.focus({ preventScroll: true });
    }
    this.order();
    this.filter();
    this.mark();
  }

  line(row) {
    const line = document.createElement("tr");
    line.dataset.n = row.n;
    line.dataset.epoch = row.epoch ?? "";
    const pick = document.createElement("td");
    pick.className = "pick";
    const box = document.createElement("input");
    box.type = "checkbox";
    box.ariaLabel = `choose ${row.name}`;
    pick.append(box);
    line.append(pick, ...this.heads.map((column) => this.cell(row, column)));
    return line;
  }

  cell(row, column) {
    const cell = document.createElement("td");
    const value = column.value(row);
    if (column.kind === "name") {
      cell.className = "name";
      const swatch = document.createElement("span");
      swatch.className = "swatch";
      const link = document.createElement("a"); // a button would not be cut off where it is too long
      link.href = "#";
      link.textContent = row.name;
      link.title = row.name;
      cell.append(swatch, link);
    } else if (column.kind === "state") {
      const chip = document.createElement("span");
      chip.className = `state s-${row.state}`;
      chip.textContent = row.state;
      cell.append(chip);
    } else if (column.kind === "epoch") {
      cell.className = "n";
      cell.textContent = row.epoch === null ? "" : row.epoch + (row.epochs ? ` of ${row.epochs}` : "");
    } else if (column.kind === "result") {
      cell.className = "n";
      const [last, best] = row.results[column.name] ?? [null, null];
      cell.textContent = short(last);
      if (best !== null && best !== last) {
        const small = document.createElement("small");
        small.textContent = `best ${short(best)}`;
        cell.append(small);
      }
    } else {
      cell.className = column.kind === "why" ? "why" : column.kind === "count" ? "n" : "";
      cell.textContent = short(value);
      if (column.kind === "why") cell.title = value;
    }
    return cell;
  }

  sortBy(name) {
    this.down = this.key === name ? !this.down : false;
    this.key = name;
    this.rebuild();
  }

  order() {
    const numbers = [...this.page.rows.keys()].sort((a, b) => a - b);
    const column = this.heads.find((each) => each.name === this.key);
    if (column) {
      const values = new Map(numbers.map((n) => [n, column.value(this.page.rows.get(n))]));
      numbers.sort((a, b) => compare(values.get(a), values.get(b), this.down));
    }
    let place = this.body.firstElementChild;
    for (const n of numbers) {
      const line = this.lines.get(n);
      if (line === place) place = place.nextElementSibling;
      else this.body.insertBefore(line, place);
    }
  }

  filter() {
    const words = this.filterInput.value.trim().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const [n, line] of this.lines) {
      line.hidden = !words.every((word) => fits(this.page.rows.get(n), word));
      if (!line.hidden) shown += 1;
    }
    this.on.shown(shown);
  }

  shownNumbers() {
    return [...this.body.rows].filter((line) => !line.hidden).map((line) => Number(line.dataset.n));
  }

  mark() {
    const open = document.getElementById("details").dataset.n;
    for (const [n, line] of this.lines) {
      line.querySelector("input").checked = this.page.chosen.has(n);
      line.classList.toggle("open", String(n) === open);
    }
  }

  colours(colourOf) {
    for (const [n, line] of this.lines) {
      line.querySelector(".swatch").style.background = this.page.chosen.has(n) ? colourOf(n) : "transparent";
    }
  }

  clicked(event) {
    if (!event.target.closest("td.name a")) return;
    event.preventDefault();
    this.on.open(Number(event.target.closest("tr").dataset.n));
  }

  picked(event) {
    const n = Number(event.target.closest("tr").dataset.n);
    this.page.wasChosen = true;
    if (event.target.checked) this.page.chosen.add(n);
    else this.page.chosen.delete(n);
    this.on.choose();
  }
}

export function short(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "number" && !Number.isInteger(value) ? String(Number(value.toPrecision(5))) : String(value);
}

function compare(a, b, down) {
  const isEmpty = (value) => value === null || value === undefined || value === "";
  if (isEmpty(a) || isEmpty(b)) return isEmpty(a) - isEmpty(b); // what is empty stands last
  const sign = down ? -1 : 1;
  if (typeof a === typeof b) return a === b ? 0 : a < b ? -sign : sign;
  return typeof a === "number" ? -sign : sign;
}

function fits(row, word) {
  const match = COMPARISON.exec(word);
  if (match) {
    const [, name, sign, text] = match;
    const value = row.parameters[name] ?? row.results[name]?.[0] ?? row[name];
    if (value !== undefined && value !== null) {
      const [one, other] = [Number(value), Number(text)];
      const areNumbers = text !== "" && !Number.isNaN(one) && !Number.isNaN(other);
      if (sign === "=") return areNumbers ? one === other : String(value) === text;
      if (!areNumbers) return false;
      return sign === "<" ? one < other : sign === ">" ? one > other : sign === "<=" ? one <= other : one >= other;
    }
  }
  const all = `${row.name} ${row.state} ${row.node} ${row.why} ${Object.entries(row.parameters).map((each) => each.join("=")).join(" ")}`;
  return all.toLowerCase().includes(word.toLowerCase());
}
