// All about one experiment, beside the table: facts, findings, attempts, the end of its log, stop and retry.
import { actButton } from "./live.js";
import { short } from "./table.js";

const LOG_LINES = 200;
const LOG_EVERY_MS = 2000;
const ENDED = ["failed", "diverged", "refused", "lost", "stopped", "finished", "planned"];

export class Details {
  constructor(element, page, act, closed) {
    Object.assign(this, { element, page, act, closed, n: null, log: null, shown: "" });
    setInterval(() => this.follow(), LOG_EVERY_MS);
  }

  open(n) {
    this.n = this.n === n ? null : n;
    this.element.hidden = this.n === null;
    this.element.dataset.n = this.n ?? "";
    this.element.replaceChildren();
    this.log = null;
    this.shown = "";
    if (this.n === null) return;
    this.refresh();
    this.element.scrollIntoView({ block: "nearest" }); // on a narrow screen it stands below
  }

  async refresh() {
    const n = this.n;
    const row = this.page.rows.get(n);
    if (n === null) return;
    if (!row) { this.open(n); this.closed(); return; }
    try {
      const answer = await fetch(`api/experiment?n=${n}`);
      if (answer.ok && this.n === n) this.show(row, await answer.json());
    } catch {
      return; // the server is away; when it is back, this is asked again
    }
    this.follow(true);
  }

  show(row, more) {
    const key = JSON.stringify([row, more]);
    if (key === this.shown) return;
    this.shown = key;
    const top = document.createElement("h2");
    const close = made("button", "×");
    close.type = "button";
    close.ariaLabel = "close";
    close.addEventListener("click", () => { this.open(this.n); this.closed(); });
    top.append(made("span", row.name), close);
    const state = made("p", "");
    state.append(made("span", row.state, `state s-${row.state}`), made("span", ` ${row.why}`, "faint"));
    const acts = made("div", "", "acts");
    acts.append(...["stop", "pause", "resume", "retry"].map((wish) => actButton(wish, [row.n], false)));
    this.log ??= made("pre", "");
    this.log.id = "log";
    const results = Object.entries(row.results).map(([name, [last, best]]) => [name, short(last), short(best)]);
    this.element.replaceChildren(
      top, state, acts,
      ...section("Parameters", pairs(row.parameters)),
      ...section("Results", grid(["variable", "last", "best"], results)),
      ...section("Findings", grid(["when", "epoch", "rule", "what", "done"], more.findings.map(
        (each) => [when(each.time), short(each.epoch), each.rule, each.text, each.action]))),
      ...section("Rules", pairs(more.rules)),
      ...section("Attempts", grid(["n", "node", "reason", "started", "outcome", "why"], more.attempts.map(
        (each) => [each.number, each.node, each.reason, when(each.started), each.outcome, each.why]))),
      ...section("About", pairs(more.facts)),
      made("h3", "End of the log"), this.log,
    );
  }

  async follow(always = false) {
    const n = this.n;
    const row = this.page.rows.get(n);
    if (!row || !this.log || document.hidden || (!always && ENDED.includes(row.state))) return;
    try {
      const answer = await fetch(`api/log?n=${n}&lines=${LOG_LINES}`);
      if (!answer.ok || this.n !== n) return;
      const text = (await answer.json()).lines.join("\n");
      if (this.log.textContent === text) return;
      const isAtEnd = this.log.scrollTop + this.log.clientHeight >= this.log.scrollHeight - 20;
      this.log.textContent = text;
      if (isAtEnd) this.log.scrollTop = this.log.scrollHeight;
    } catch {
      // the server is away
    }
  }
}

function made(tag, text, kind = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  if (kind) element.className = kind;
  return element;
}

function section(title, content) {
  return content ? [made("h3", title), content] : [];
}

function pairs(values) {
  const entries = Object.entries(values);
  if (!entries.length) return null;
  const list = document.createElement("dl");
  for (const [name, value] of entries) list.append(made("dt", name), made("dd", short(value)));
  return list;
}

function grid(heads, lines) {
  if (!lines.length) return null;
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const name of heads) head.append(made("th", name));
  const body = table.createTBody();
  for (const line of lines) {
    const row = body.insertRow();
    for (const value of line) row.append(made("td", String(value ?? "")));
  }
  return table;
}

function when(time) {
  return time ? new Date(time * 1000).toLocaleString([], { dateStyle: "short", timeStyle: "medium" }) : "";
}
