// The live page: what the server tells is kept here, and shown by the table, the curves and the details.
import { Curves } from "./curves.js";
import { Details } from "./details.js";
import { Table } from "./table.js";

const $ = (id) => document.getElementById(id);
const MOST_CHOSEN = 50;
const FIRST_CHOSEN = 10;
const SURE_MS = 4000;
const GONE_MS = 1000;

// The token is taken out of the address, so that no screenshot and no history has it.
const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  sessionStorage.setItem("token", given);
  history.replaceState(null, "", location.pathname + location.search);
}

const page = {
  head: { columns: { parameters: [], same: {}, results: [], curves: [] }, totals: {}, nodes: {} },
  rows: new Map(),
  chosen: new Set(),
  version: -1,
};

const curves = new Curves($("variables"), $("panels"), page);
const details = new Details($("details"), page, act, () => table.mark());
const table = new Table($("experiments"), $("filter"), page, {
  open: (n) => { details.open(n); table.mark(); },
  choose: chosenChanged,
  shown: (shown) => { $("count").textContent = shown === page.rows.size ? `${shown}` : `${shown} of ${page.rows.size}`; },
});

function showHead() {
  const { head } = page;
  $("name").textContent = head.name;
  $("name").title = head.path;
  const bad = ["failed", "diverged", "refused", "lost"].reduce((sum, state) => sum + (head.totals[state] ?? 0), 0);
  document.title = `${head.name}: ${head.totals.running ?? 0} running${bad ? `, ${bad} failed` : ""}`;
  $("totals").replaceChildren(...Object.entries(head.totals).map(([state, count]) => {
    const chip = document.createElement("button");
    chip.type = "button";
    chip.className = `state s-${state}`;
    chip.textContent = `${count} ${state}`;
    const word = `state=${state}`;
    chip.classList.toggle("on", $("filter").value === word);
    chip.addEventListener("click", () => {
      $("filter").value = $("filter").value === word ? "" : word;
      table.filter();
      showHead();
    });
    return chip;
  }));
  const same = Object.entries(head.columns.same).map(([name, value]) => `${name} ${value}`);
  $("same").textContent = same.length ? `The same in all: ${same.join(" · ")}` : "";
  showNodes();
}

function showNodes() {
  const away = Object.entries(page.head.nodes).filter(([, node]) => !node.reachable);
  $("nodes").textContent = away
    .map(([name, node]) => `${name} not reached ${age(node.time)} ago: ${node.error}`).join(" · ");
}

export function age(time) {
  const seconds = Math.max(0, Date.now() / 1000 - time);
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} d`;
}

function chosenChanged() {
  curves.show();
  table.colours((n) => curves.colourOf(n));
  showActs();
}

function firstChoice() {
  if (page.chosen.size || page.wasChosen) return;
  for (const row of page.rows.values()) {
    if (page.chosen.size < FIRST_CHOSEN && row.epoch !== null) page.chosen.add(row.n);
  }
}

function whole(data) {
  const { rows, version, ...head } = data;
  const first = page.version < 0;
  Object.assign(page, { head, version });
  page.rows = new Map(rows.map((row) => [row.n, row]));
  for (const n of page.chosen) if (!page.rows.has(n)) page.chosen.delete(n);
  if (first) firstChoice();
  showHead();
  table.rebuild();
  chosenChanged();
  details.refresh();
}

function change(data) {
  const { rows, gone, notes, version, ...head } = data;
  const columns = JSON.stringify(page.head.columns);
  Object.assign(page, { head, version });
  for (const row of rows) page.rows.set(row.n, row);
  for (const n of gone) { page.rows.delete(n); page.chosen.delete(n); }
  showHead();
  if (JSON.stringify(head.columns) === columns) table.update(rows, gone);
  else table.rebuild();
  const before = page.chosen.size;
  firstChoice();
  if (before !== page.chosen.size || gone.length) chosenChanged();
  else curves.refresh(rows.map((row) => row.n));
  table.colours((n) => curves.colourOf(n));
  showActs();
  if (rows.some((row) => row.n === details.n) || gone.includes(details.n)) details.refresh();
  for (const note of notes) tell(note.text, note.error);
}

function tell(text, isBad) {
  $("told").textContent = text;
  $("told").title = text;
  $("told").classList.toggle("bad", Boolean(isBad));
}

function connection(word, kind) {
  $("connection").textContent = word;
  $("connection").className = `state ${kind}`;
}

let source;
function connect() {
  source?.close();
  source = new EventSource("events");
  source.addEventListener("open", () => connection("live", "live"));
  source.addEventListener("whole", (event) => whole(JSON.parse(event.data)));
  source.addEventListener("change", (event) => change(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    connection("the server is gone, asking again", "gone");
    // A browser gives up where a server answers with an error.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, GONE_MS);
  });
}

const WISHES = {
  stop: ["running", "waiting", "queued", "submitting", "requeued", "unknown"],
  pause: ["running", "waiting", "queued", "submitting", "requeued"],
  resume: ["paused", "stopped"],
  retry: ["failed", "diverged", "refused", "lost"],
};

export function fitting(wish, numbers) {
  return numbers.filter((n) => WISHES[wish].includes(page.rows.get(n)?.state));
}

export function actButton(wish, numbers, many) {
  const button = document.createElement("button");
  const fit = fitting(wish, numbers);
  const words = many ? `${wish} ${fit.length || ""} chosen`.replace("  ", " ") : wish;
  button.type = "button";
  button.dataset.wish = wish;
  button.textContent = words;
  button.disabled = !fit.length;
  button.addEventListener("click", () => {
    // What ends a training run takes a second click.
    if (["stop", "pause"].includes(wish) && !button.classList.contains("sure")) {
      button.classList.add("sure");
      button.textContent = `really ${words}?`;
      setTimeout(() => { button.classList.remove("sure"); button.textContent = words; }, SURE_MS);
      return;
    }
    button.disabled = true;
    act(wish, fitting(wish, numbers));
  });
  return button;
}

let actsFor = "";
function showActs() {
  const numbers = [...page.chosen];
  const key = Object.keys(WISHES).map((wish) => fitting(wish, numbers).join()).join(";");
  if (key === actsFor) return; // a button that waits for its second click stays
  actsFor = key;
  $("acts").replaceChildren(...["stop", "retry"].map((wish) => actButton(wish, numbers, true)));
}

async function act(wish, numbers) {
  const token = sessionStorage.getItem("token") ?? (await askToken());
  actsFor = "";
  if (!token) { showActs(); return; }
  tell(`${wish} ...`);
  try {
    const answer = await fetch("api/act", {
      method: "POST",
      headers: { "X-DDL-Token": token, "Content-Type": "application/json" },
      body: JSON.stringify({ do: wish, numbers }),
    });
    const { told, error } = await answer.json();
    if (answer.status === 403) sessionStorage.removeItem("token");
    tell(error ?? Object.entries(told).map(([name, line]) => `${name}: ${line}`).join(" · "), error);
  } catch {
    tell("The server does not answer; nothing was asked.", true);
  }
  showActs();
  details.refresh();
}

function askToken() {
  const dialog = $("ask");
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => {
    const token = dialog.returnValue === "yes" ? $("token").value.trim() : "";
    $("token").value = "";
    if (token) sessionStorage.setItem("token", token);
    resolve(token);
  }, { once: true }));
}

$("choose").addEventListener("click", () => {
  page.chosen = new Set(table.shownNumbers().slice(0, MOST_CHOSEN));
  page.wasChosen = true;
  table.mark();
  chosenChanged();
});
$("clear").addEventListener("click", () => {
  page.chosen.clear();
  page.wasChosen = true;
  table.mark();
  chosenChanged();
});
setInterval(showNodes, 5000);
connect();
