"use strict";
// The page's own script: theme, tables, charts as they come into view, and reloading while a sweep runs.
// All that people typed goes in as text: textContent here, escaped for plotly, which takes some HTML.

const { sweeps, charts } = JSON.parse(document.getElementById("data").textContent);
const root = document.documentElement;
const live = "live" in document.body.dataset;
const key = `sweeper ${location.pathname}`;
const kept = JSON.parse(recall(sessionStorage, key) || "{}");

function recall(storage, name) {
  try { return storage.getItem(name); } catch { return null; } // a browser that keeps nothing
}

function keep(storage, name, value) {
  try { storage.setItem(name, value); } catch { /* see above */ }
}

function element(name, className, ...content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

function show(value) {
  if (typeof value !== "number") return value === null || value === undefined ? "" : String(value);
  const short = Number(value.toPrecision(6));
  return Number.isInteger(value) && Math.abs(value) < 1e15 ? String(value) : String(short);
}

function showSeconds(seconds) {
  if (typeof seconds !== "number") return "";
  if (seconds < 1) return `${Math.round(seconds * 1000)}ms`;
  if (seconds < 60) return `${seconds.toFixed(1)}s`;
  const minutes = Math.floor(Math.round(seconds) / 60), rest = String(Math.round(seconds) % 60).padStart(2, "0");
  return minutes < 60 ? `${minutes}m${rest}s` : `${Math.floor(minutes / 60)}h${String(minutes % 60).padStart(2, "0")}m`;
}

// ------------------------------------------------------------------------------------------ theme

const themeButton = document.querySelector(".theme");
const dark = matchMedia("(prefers-color-scheme: dark)");

function setTheme() {
  const chosen = recall(localStorage, "sweeper theme");
  root.dataset.theme = chosen || (dark.matches ? "dark" : "light");
  themeButton.textContent = root.dataset.theme === "dark" ? "Light" : "Dark";
  themeButton.setAttribute("aria-label", `Use ${themeButton.textContent.toLowerCase()} colours`);
}

setTheme();
themeButton.hidden = false;
themeButton.addEventListener("click", () => {
  keep(localStorage, "sweeper theme", root.dataset.theme === "dark" ? "light" : "dark");
  setTheme();
  redraw();
});
dark.addEventListener("change", () => { setTheme(); redraw(); });

// ------------------------------------------------------------------------------------------ tables

const PAGE = 100; // rows shown at first

class Table {
  constructor(box) {
    this.box = box;
    this.number = Number(box.dataset.sweep);
    this.sweep = sweeps[this.number];
    this.table = box.querySelector("table");
    this.input = box.querySelector("input");
    this.state = { words: "", column: "run", down: false, all: false, open: [], ...(kept[`table${this.number}`] || {}) };
    this.columns = this.makeColumns();
    this.texts = this.sweep.runs.map((run) => this.textOf(run));
    this.input.value = this.state.words;
    this.input.addEventListener("input", () => { this.state.words = this.input.value; this.fill(); });
    box.querySelector(".more").addEventListener("click", () => { this.state.all = true; this.fill(); });
    this.head();
    this.fill();
  }

  makeColumns() {
    const { runs, objectives } = this.sweep;
    const names = (field) => [...new Set(runs.flatMap((run) => Object.keys(run[field])))];
    const some = (field) => runs.some((run) => run[field]);
    const taken = new Set(["run", "status", "time", "attempts", "note", ...objectives]);
    return [
      { name: "run", value: (run) => run.number },
      { name: "status", value: (run) => run.status },
      ...objectives.map((name, at) => ({ name, value: (run) => run.values[at] })),
      { name: "time", value: (run) => run.seconds, show: showSeconds },
      ...(runs.some((run) => run.attempt > 1) ? [{ name: "attempts", value: (run) => run.attempt }] : []),
      ...names("params").map((name) => ({
        name: taken.has(name) ? `params.${name}` : name, value: (run) => run.params[name],
      })),
      ...names("metrics").map((name) => ({ name: `metrics.${name}`, value: (run) => run.metrics[name] })),
      ...names("tags").map((name) => ({ name: `#${name}`, value: (run) => run.tags[name] })),
      ...(some("note") ? [{ name: "note", value: (run) => run.note, text: true }] : []),
    ];
  }

  textOf(run) {
    const pairs = (field) => Object.entries(run[field]).map(([name, value]) => `${name}=${show(value)}`);
    return [`run=${run.number}`, run.status, ...pairs("params"), ...pairs("tags"), run.note, run.error]
      .join(" ").toLowerCase();
  }

  head() {
    const row = element("tr");
    for (const column of this.columns) {
      const button = element("button", "", column.name);
      button.type = "button";
      const cell = element("th", "", button);
      cell.scope = "col";
      if (this.sweep.runs.some((run) => column.name !== "run" && typeof column.value(run) === "number")) cell.classList.add("number");
      button.addEventListener("click", () => {
        this.state.down = this.state.column === column.name && !this.state.down;
        this.state.column = column.name;
        this.fill();
      });
      row.append(cell);
    }
    this.table.append(element("thead", "", row), element("tbody"));
  }

  fill() {
    const words = this.state.words.toLowerCase().split(/\s+/).filter(Boolean);
    const found = [];
    this.texts.forEach((text, at) => { if (words.every((word) => text.includes(word))) found.push(at); });
    const column = this.columns.find((each) => each.name === this.state.column) || this.columns[0];
    const value = (at) => column.value(this.sweep.runs[at]);
    found.sort((a, b) => compare(value(a), value(b), this.state.down) || a - b);
    const shown = this.state.all ? found : found.slice(0, PAGE);
    this.table.tBodies[0].replaceChildren(...shown.map((at) => this.row(at)));
    this.columns.forEach((each, at) => {
      const cell = this.table.tHead.rows[0].cells[at];
      if (each === column) cell.setAttribute("aria-sort", this.state.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
    const of = found.length === this.texts.length ? "" : ` of ${this.texts.length}`;
    const first = shown.length < found.length ? `, the first ${shown.length} shown` : "";
    this.box.querySelector(".count").textContent = `${found.length}${of} runs${first}`;
    const more = this.box.querySelector(".more");
    more.hidden = shown.length === found.length;
    more.textContent = `Show all ${found.length}`;
  }

  row(at) {
    const run = this.sweep.runs[at];
    const row = element("tr", at === this.sweep.best ? "best" : "");
    for (const column of this.columns) {
      const value = column.value(run);
      if (column.name === "run") {
        const cell = element("th", "", run.link ? link(run.link, run.number) : String(run.number));
        cell.scope = "row";
        row.append(cell);
      } else if (column.name === "status") {
        const status = element("span", `status ${value.toLowerCase()}`, value.toLowerCase());
        row.append(element("td", "", run.error ? this.error(run, status) : status));
      } else {
        const kind = column.text ? "text" : typeof value === "number" ? "number" : "";
        const cell = element("td", kind, (column.show || show)(value));
        if (typeof value === "string" && value.length > 40) cell.title = value;
        row.append(cell);
      }
    }
    return row;
  }

  error(run, status) {
    const trace = element("pre", "", run.error);
    trace.tabIndex = 0;
    const details = element("details", "", element("summary", "", status, ` ${lastLine(run.error)}`), trace);
    details.open = this.state.open.includes(run.number);
    details.addEventListener("toggle", () => {
      const others = this.state.open.filter((number) => number !== run.number);
      this.state.open = details.open ? [...others, run.number] : others;
    });
    return details;
  }
}

function link(target, text) {
  const made = element("a", "", String(text));
  made.href = target;
  return made;
}

function lastLine(text) {
  return text.trimEnd().split("\n").pop();
}

function compare(a, b, down) {
  const none = (value) => value === undefined || value === null || value === "";
  if (none(a) || none(b)) return none(a) - none(b); // what has no value comes last, whichever way
  const sign = down ? -1 : 1;
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
}

const tables = [...document.querySelectorAll(".table")].map((box) => new Table(box));

// ------------------------------------------------------------------------------------------ copying

for (const button of document.querySelectorAll(".copy")) {
  button.addEventListener("click", async () => {
    const said = button.textContent;
    const words = button.dataset.copy || button.parentElement.querySelector("code").textContent;
    button.textContent = (await copy(words)) ? "Copied" : "Press Ctrl+C";
    setTimeout(() => { button.textContent = said; }, 1600);
  });
}

async function copy(words) {
  try {
    await navigator.clipboard.writeText(words);
    return true;
  } catch { // from a file, some browsers take only this way
    const area = element("textarea", "", words);
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

// ------------------------------------------------------------------------------------------ charts

const drawn = new Set();
let style = getComputedStyle(root);

async function loadPlotly() {
  const coded = document.getElementById("plotly");
  const letters = atob(coded.textContent);
  const bytes = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at += 1) bytes[at] = letters.charCodeAt(at);
  coded.remove();
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = element("script", "", await new Response(stream).text());
  script.nonce = document.querySelector("script[nonce]").nonce;
  document.head.append(script);
}

// A figure names the page's colours; here they become what the theme has for them.
function coloured(value, name = "") {
  if (typeof value === "string") {
    return /colou?r/i.test(name) && value.startsWith("--") ? style.getPropertyValue(value).trim() : value;
  }
  if (Array.isArray(value)) return typeof value[0] === "object" ? value.map((each) => coloured(each)) : value;
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, coloured(each, key)]));
}

function escaped(text) {
  return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

function shorten(text, width) {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

// What is shown of a run under the pointer; made once.
function label(sweep, at) {
  sweep.labels ||= [];
  return (sweep.labels[at] ||= makeLabel(sweep, at));
}

function makeLabel(sweep, at) {
  const run = sweep.runs[at];
  const params = Object.entries(run.params).slice(0, 14).map(([name, value]) => `${name}=${shorten(show(value), 40)}`);
  const values = sweep.objectives.map((name, n) => (run.values.length ? `${name} ${show(run.values[n])}` : ""));
  const error = run.error ? shorten(lastLine(run.error), 60) : "";
  const head = `run ${run.number} ${run.status.toLowerCase()} ${showSeconds(run.seconds)}`;
  return [head, ...values, ...params, error].filter(Boolean).map(escaped).join("<br>");
}

function axes(layout, width) {
  const found = {};
  for (const name of Object.keys(layout).filter((each) => /^[xy]axis/.test(each)).concat(["xaxis", "yaxis"])) {
    const own = layout[name] || {};
    found[name] = {
      gridcolor: "--grid", linecolor: "--line", zerolinecolor: "--grid", tickcolor: "--line", automargin: true,
      ...(own.type === "date" ? { nticks: Math.max(3, Math.floor(width / 130)), tickangle: 0 } : {}),
      ...own, ...(own.title ? { title: { standoff: 8, ...own.title } } : {}),
    };
  }
  return found;
}

function draw(place) {
  const sweep = sweeps[Number(place.dataset.sweep)];
  const figure = sweep ? sweep.figures[Number(place.dataset.figure)] : charts[Number(place.dataset.figure)];
  style = getComputedStyle(root);
  const traces = figure.data.map((trace) => {
    const made = coloured({ ...trace, runs: undefined, run: undefined });
    if (trace.runs) made.text = trace.runs.map((at) => (at === null ? "" : label(sweep, at)));
    if (trace.run !== undefined) made.text = trace.x.map(() => `run ${sweep.runs[trace.run].number}`);
    if (made.marker && trace.marker.color) made.marker = { ...made.marker, line: { ...made.marker.line, color: (made.marker.line || {}).color || made.marker.color } };
    return made;
  });
  const narrow = place.clientWidth < 560;
  const layout = coloured({
    margin: { l: narrow ? 50 : 64, r: 14, t: figure.layout.showlegend ? 38 : 12, b: 44 },
    hovermode: "closest", dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12.5, color: "--ink" },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: "--muted", activecolor: "--link" },
    hoverlabel: { bgcolor: "--panel", bordercolor: "--muted", font: { color: "--ink", size: 12.5 }, align: "left" },
    ...figure.layout,
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", ...figure.layout.legend }, ...axes(figure.layout, place.clientWidth),
  });
  // The buttons are named, since plotly's own choice may have one that sends the chart to a server.
  const config = {
    responsive: true, displaylogo: false, modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
    displayModeBar: matchMedia("(pointer: coarse)").matches ? false : "hover",
  };
  drawn.add(place);
  return Plotly.react(place, traces, layout, config);
}

function redraw() {
  for (const place of drawn) draw(place);
}

const places = [...document.querySelectorAll(".chart")];

function drawOnce(place) {
  if (drawn.has(place)) return;
  draw(place);
}

// What is in view comes first, the rest when there is nothing else to do.
function drawAll() {
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) { seen.unobserve(entry.target); drawOnce(entry.target); }
  }, { rootMargin: "300px" });
  for (const place of places) seen.observe(place);
  const later = window.requestIdleCallback || ((next) => setTimeout(next, 60));
  const waiting = [...places];
  const next = () => {
    const place = waiting.find((each) => !drawn.has(each));
    if (!place) { root.dataset.drawn = ""; return; }
    drawOnce(place);
    later(next);
  };
  later(next);
}

// On paper it is light, and whole.
addEventListener("beforeprint", () => { root.dataset.theme = "light"; redraw(); places.forEach(drawOnce); });
addEventListener("afterprint", () => { setTheme(); redraw(); });

async function begin() {
  if (!places.length) { root.dataset.drawn = ""; return; }
  try {
    await new Promise((resolve) => { requestAnimationFrame(() => setTimeout(resolve)); }); // the text first
    await loadPlotly();
    drawAll();
  } catch (error) {
    for (const place of places) place.textContent = "This browser cannot draw the chart; one newer than 2023 can.";
    console.error(error);
  }
}

if (document.readyState === "loading") addEventListener("DOMContentLoaded", begin);
else begin();

// ------------------------------------------------------------------------------------- while it runs

const RELOAD_SECONDS = 5;
const details = [...document.querySelectorAll("details[id]")];

function remember() {
  const state = { y: scrollY, open: details.filter((each) => each.open).map((each) => each.id), paused, reloading };
  const focused = document.activeElement;
  if (focused && focused.id) state.focus = focused.id;
  for (const table of tables) state[`table${table.number}`] = { ...table.state, x: table.table.parentElement.scrollLeft };
  keep(sessionStorage, key, JSON.stringify(state));
}

let paused = Boolean(kept.paused);
let busy = 0; // when a key was last pressed
let reloading = false;

if (kept.reloading) {
  for (const each of details) each.open = (kept.open || []).includes(each.id);
  for (const table of tables) table.table.parentElement.scrollLeft = (kept[`table${table.number}`] || {}).x || 0;
  if (kept.y) scrollTo({ top: kept.y, behavior: "instant" });
  if (kept.focus) document.getElementById(kept.focus)?.focus({ preventScroll: true });
}

if (live) {
  history.scrollRestoration = "manual";
  const button = document.querySelector(".pause"), state = document.querySelector(".state");
  const say = () => {
    button.textContent = paused ? "Reload as it runs" : "Stop reloading";
    state.textContent = paused ? "running" : "running; the page reloads itself";
  };
  button.hidden = false;
  button.addEventListener("click", () => { paused = !paused; say(); });
  say();
  addEventListener("keydown", () => { busy = Date.now(); });
  setInterval(() => {
    const held = paused || document.hidden || Date.now() - busy < 3000 || String(getSelection()) !== "";
    if (held) return;
    reloading = true;
    location.reload();
  }, RELOAD_SECONDS * 1000);
}
addEventListener("pagehide", remember);
