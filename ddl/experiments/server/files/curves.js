// Curves of the chosen experiments: a panel for each variable that is switched on, drawn by uPlot.
import { short } from "./table.js";

const COLOURS = 10;
const FIRST_PANELS = 2;
const HEIGHT = 230;
const WAIT_MS = 200;
const LOG_SPAN = 100;
const MARKED = 30;

export class Curves {
  constructor(bar, element, page) {
    Object.assign(this, { bar, element, page, data: new Map(), plots: new Map(), on: null, stale: new Set() });
    new ResizeObserver(() => this.resize()).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
  }

  colourOf(n) {
    return `var(--c${(n - 1) % COLOURS})`;
  }

  names() {
    return this.page.head.columns.curves;
  }

  show() {
    if (this.on === null && this.names().length) {
      const names = this.names();
      const loss = names.find((name) => /loss/i.test(name) && name !== names[0]);
      this.on = new Set([names[0], loss ?? names[1]].filter(Boolean).slice(0, FIRST_PANELS));
    }
    this.bar.replaceChildren(...this.names().map((name) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name;
      button.ariaPressed = String(this.on.has(name));
      button.addEventListener("click", () => {
        if (!this.on.delete(name)) this.on.add(name);
        this.data.clear();
        this.show();
      });
      return button;
    }));
    const missing = [...this.page.chosen].filter((n) => !this.data.has(n));
    for (const n of this.data.keys()) if (!this.page.chosen.has(n)) this.data.delete(n);
    if (missing.length && this.on?.size) this.refresh(missing);
    else this.redraw();
  }

  refresh(numbers) {
    for (const n of numbers) if (this.page.chosen.has(n)) this.stale.add(n);
    if (!this.stale.size || this.timer) return;
    this.timer = setTimeout(async () => {
      const asked = [...this.stale].filter((n) => this.page.rows.has(n));
      this.stale.clear();
      try {
        if (asked.length && this.on?.size) await this.load(asked);
      } finally {
        this.timer = null;
        if (this.stale.size) this.refresh([]);
      }
    }, WAIT_MS);
  }

  async load(numbers) {
    const query = new URLSearchParams({ n: numbers.join() });
    for (const name of this.on) query.append("v", name);
    let answer;
    try {
      answer = await fetch(`api/curves?${query}`);
    } catch {
      return; // the server is away; when it is back, everything is told again
    }
    if (!answer.ok) return;
    for (const [n, columns] of Object.entries(await answer.json())) this.data.set(Number(n), columns);
    this.draw();
  }

  redraw() {
    for (const plot of this.plots.values()) plot.u?.destroy();
    this.plots.clear();
    this.element.replaceChildren();
    this.draw();
  }

  draw() {
    const shown = this.names().filter((name) => this.on?.has(name));
    for (const [name, plot] of this.plots) {
      if (shown.includes(name)) continue;
      plot.u?.destroy();
      plot.panel.remove();
      this.plots.delete(name);
    }
    for (const name of shown) this.drawPanel(name);
  }

  drawPanel(name) {
    const series = [...this.page.chosen].sort((a, b) => a - b)
      .filter((n) => this.data.get(n)?.[name]?.length)
      .map((n) => ({ n, x: this.data.get(n).epoch, y: this.data.get(n)[name] }));
    let plot = this.plots.get(name);
    if (!plot) this.plots.set(name, plot = this.makePanel(name));
    const start = performance.now();
    const data = series.length ? aligned(series) : [[], []];
    const isLog = spansDecades(series);
    const key = `${series.map((each) => each.n).join()} ${isLog} ${data[0].length <= MARKED}`;
    plot.start = start;
    if (plot.u && plot.key === key) {
      plot.u.setData(data);
      return;
    }
    plot.u?.destroy();
    plot.key = key;
    plot.u = series.length ? this.makePlot(plot, series, data, isLog) : null;
  }

  makePanel(name) {
    const panel = document.createElement("div");
    panel.className = "panel";
    panel.dataset.variable = name;
    const head = document.createElement("h3");
    const [title, at, ms] = ["name", "at", "ms"].map((kind) => {
      const part = document.createElement("span");
      part.className = kind;
      return part;
    });
    title.textContent = name;
    head.append(title, at, ms);
    const place = document.createElement("div");
    panel.append(head, place);
    const names = this.names();
    const next = [...this.element.children].find((other) => names.indexOf(other.dataset.variable) > names.indexOf(name));
    this.element.insertBefore(panel, next ?? null);
    return { panel, place, at, ms, u: null, key: "", start: null };
  }

  makePlot(plot, series, data, isLog) {
    const style = getComputedStyle(document.documentElement);
    const value = (name) => style.getPropertyValue(name).trim(); // a canvas knows no variables
    const [faint, rule] = ["--faint", "--rule"].map(value);
    const axis = { stroke: faint, grid: { stroke: rule, width: 1 }, ticks: { show: false }, font: "11px sans-serif" };
    const lines = series.map(({ n }) => ({
      label: this.page.rows.get(n)?.name ?? String(n),
      stroke: value(`--c${(n - 1) % COLOURS}`),
      width: 1.25,
      dash: Math.floor((n - 1) / COLOURS) % 2 ? [6, 3] : undefined,
      points: { show: data[0].length <= MARKED, size: 4 },
    }));
    const values = (u, ticks) => ticks.map((tick) => (tick === null ? "" : short(tick)));
    return new uPlot({
      width: plot.place.clientWidth || 400,
      height: HEIGHT,
      legend: { show: false },
      pxAlign: 0,
      scales: { x: { time: false }, y: isLog ? { distr: 3 } : {} },
      axes: [{ ...axis, size: 28 }, { ...axis, size: 58, values }],
      series: [{}, ...lines],
      cursor: { focus: { prox: 24 }, points: { show: lines.length <= 10 } },
      focus: { alpha: 0.25 },
      hooks: {
        draw: [() => {
          if (plot.start === null) return; // drawn again under the mouse, with no new values
          const drawMs = performance.now() - plot.start;
          plot.start = null;
          plot.panel.dataset.drawMs = drawMs.toFixed(1);
          plot.panel.dataset.lines = lines.length;
          plot.panel.dataset.points = plot.u ? plot.u.data[0].length : data[0].length;
          plot.ms.textContent = `${Math.round(drawMs)} ms`;
        }],
        setSeries: [(u, index) => { plot.focus = index; this.tellPoint(plot, u); }],
        setCursor: [(u) => this.tellPoint(plot, u)],
      },
    }, data, plot.place);
  }

  tellPoint(plot, u) {
    const { idx } = u.cursor;
    const index = plot.focus ?? (u.series.length === 2 ? 1 : null);
    if (idx === null || idx === undefined || index === null || !u.series[index]) {
      plot.at.textContent = "";
      return;
    }
    const value = u.data[index][idx];
    const shown = value === null || value === undefined ? "-" : short(value);
    plot.at.textContent = `${shown} at ${u.data[0][idx]}: ${u.series[index].label}`;
  }

  resize() {
    for (const plot of this.plots.values()) {
      const width = plot.place.clientWidth;
      if (plot.u && width && width !== plot.u.width) {
        plot.start = performance.now();
        plot.u.setSize({ width, height: HEIGHT });
      }
    }
  }
}

// uPlot wants one list of epochs for all. Most often they are the same, but for how far each has come.
function aligned(series) {
  const longest = series.reduce((a, b) => (b.x.length > a.x.length ? b : a));
  const isPrefix = series.every(({ x }) => x.every((epoch, place) => epoch === longest.x[place]));
  if (!isPrefix) return uPlot.join(series.map(({ x, y }) => [x, y]));
  const length = longest.x.length;
  return [longest.x, ...series.map(({ y }) => (y.length === length ? y : [...y, ...Array(length - y.length).fill(null)]))];
}

function spansDecades(series) {
  let [low, high] = [Infinity, -Infinity];
  for (const { y } of series) {
    for (const value of y) {
      if (value === null) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low > 0 && high / low > LOG_SPAN;
}
