// The page's behaviour: plots that follow the theme and share one time window, and the list of decisions.
// Everything shown comes from the JSON in #data; text goes in as text, never as HTML.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const probe = document.createElement("span");
  document.body.append(probe);
  function color(name) {  // a colour of the style sheet as the theme of now resolves it
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  }

  // -- words ---------------------------------------------------------------------------------
  const two = (number) => String(number).padStart(2, "0");
  function moment(seconds) {
    const s = Math.round(seconds), days = Math.floor(s / 86400);
    const clock = `${Math.floor(s % 86400 / 3600)}:${two(Math.floor(s % 3600 / 60))}:${two(s % 60)}`;
    return days ? `${days}d ${clock}` : clock;
  }
  function duration(seconds) {
    const s = Math.round(seconds);
    const parts = [[s / 86400, "d"], [s % 86400 / 3600, "h"], [s % 3600 / 60, "m"], [s % 60, "s"]];
    return parts.map(([n, unit]) => [Math.floor(n), unit]).filter(([n]) => n)
      .map(([n, unit]) => n + unit).join("") || "0";
  }
  const usd = (amount) => "$" + amount.toLocaleString("en-US",
    { minimumFractionDigits: 2, maximumFractionDigits: amount && amount < 0.1 ? 4 : 2 });

  // -- plots ---------------------------------------------------------------------------------
  const states = data.rows.map((row) =>
    Object.fromEntries(data.columns.map((name, place) => [name, row[place]])));
  const zones = states.flatMap((row) => data.zones.map((zone, place) =>
    ({ t: row.t, zone, place, nodes: row[`z${place}`] })));
  const whole = [0, Math.max(data.end, 1)];
  let shown = whole, cursor = -1, views = [];

  function config() {
    const text = { labelColor: color("--muted"), titleColor: color("--muted"), labelFontSize: 12 };
    return {
      background: "transparent",
      font: getComputedStyle(document.body).fontFamily,
      view: { stroke: null },
      axis: { ...text, domainColor: color("--line"), tickColor: color("--line"), gridColor: color("--line") },
      legend: { ...text, orient: "top", offset: 4, symbolType: "square", symbolStrokeWidth: 0 },
      customFormatTypes: true,
    };
  }
  const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200,
    86400, 172800, 604800, 1209600];
  function ticks(width) {
    const wanted = (shown[1] - shown[0]) / Math.max(2, Math.floor(width / 90));
    const step = STEPS.find((one) => one >= wanted) ?? Math.ceil(wanted / 1209600) * 1209600;
    const values = [];
    for (let t = Math.ceil(shown[0] / step) * step; t <= shown[1]; t += step) values.push(t);
    return values;
  }
  const inTheme = (spec) => JSON.parse(JSON.stringify(spec),
    (_, value) => typeof value === "string" && /^--[a-z0-9-]+$/.test(value) ? color(value) : value);

  function show(view) {
    view.signal("from", shown[0]).signal("to", shown[1]).signal("cursor", cursor)
      .signal("ticks", ticks(view.width())).runAsync();
  }
  function showAll() {
    views.forEach(show);
    byId("window").textContent = `${moment(shown[0])} to ${moment(shown[1])}`;
  }
  function zoom(from, to) {
    const span = Math.min(whole[1] - whole[0], Math.max(to - from, 1));
    const start = Math.min(Math.max(from, whole[0]), whole[1] - span);
    shown = [start, start + span];
    showAll();
  }

  async function drawNow() {
    views.forEach((view) => view.finalize());
    views = [];
    for (const chart of data.charts) {
      const spec = { ...inTheme(chart.spec), description: chart.about, datasets: { states, zones } };
      const { view } = await vegaEmbed(byId(`plot-${chart.id}`), spec, {
        mode: "vega-lite", actions: false, renderer: "svg", ast: true, defaultStyle: false,
        config: config(), expressionFunctions: { moment, duration, usd }, tooltip: { disableDefaultStyle: true },
      });
      if (!chart.overTime) continue;
      views.push(view);
      view.addResizeListener(() => show(view));
    }
    showAll();
    root.dataset.drawn = Number(root.dataset.drawn ?? 0) + 1;
  }
  let drawn = Promise.resolve();
  const draw = () => { drawn = drawn.then(drawNow); };  // one after the other, however fast the clicks

  // Drag across a plot to choose the time window of all.
  function drag(element) {
    let start = null, mark = null;
    const area = () => element.querySelector(".role-frame .background").getBoundingClientRect();
    const share = (event) => {
      const { left, width } = area();
      return Math.min(Math.max((event.clientX - left) / width, 0), 1);
    };
    const stop = () => { start = null; mark?.remove(); mark = null; };
    element.addEventListener("pointerdown", (event) => {
      if (event.button === 0) start = share(event);
    });
    addEventListener("pointermove", (event) => {
      if (start === null) return;
      const now = share(event), { left, width } = area();
      if (!mark) {
        if (Math.abs(now - start) * width < 5) return;  // a click, so far
        mark = document.createElement("div");
        mark.className = "drag";
        element.append(mark);
      }
      mark.style.left = `${left - element.getBoundingClientRect().left + Math.min(start, now) * width}px`;
      mark.style.width = `${Math.abs(now - start) * width}px`;
    });
    addEventListener("pointerup", (event) => {
      if (start === null) return;
      const ends = [start, share(event)].sort((a, b) => a - b);
      const chosen = mark !== null;
      stop();
      if (chosen) zoom(...ends.map((end) => shown[0] + end * (shown[1] - shown[0])));
    });
    addEventListener("pointercancel", stop);
    element.addEventListener("dblclick", () => zoom(...whole));
  }
  data.charts.filter((chart) => chart.overTime).forEach((chart) => drag(byId(`plot-${chart.id}`)));

  const ZOOMS = {
    back: ([a, b]) => [a - (b - a) / 2, b - (b - a) / 2],
    on: ([a, b]) => [a + (b - a) / 2, b + (b - a) / 2],
    in: ([a, b]) => [a + (b - a) / 4, b - (b - a) / 4],
    out: ([a, b]) => [a - (b - a) / 2, b + (b - a) / 2],
    all: () => whole,
  };
  document.querySelectorAll("[data-zoom]").forEach((button) =>
    button.addEventListener("click", () => zoom(...ZOOMS[button.dataset.zoom](shown))));

  // -- theme ---------------------------------------------------------------------------------
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  function follow() {
    byId("theme-name").textContent = isDark() ? "Light" : "Dark";
    draw();
  }
  byId("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    follow();
  });
  system.addEventListener("change", follow);

  // -- decisions -----------------------------------------------------------------------------
  const body = byId("rows"), search = byId("search"), actor = byId("actor");
  const rows = data.decisions.map(([t, who, what, why]) => {
    const row = body.insertRow();
    const time = document.createElement("button");
    time.type = "button";
    time.textContent = moment(t);
    time.addEventListener("click", () => mark(row, t));
    row.insertCell().append(time);
    for (const text of [who, what, why]) row.insertCell().textContent = text;
    return { row, who, text: `${who} ${what} ${why}`.toLowerCase() };
  });
  for (const who of [...new Set(rows.map((one) => one.who))].sort()) actor.add(new Option(who, who));
  function mark(row, t) {
    body.querySelector(".marked")?.classList.remove("marked");
    row.classList.add("marked");
    cursor = t;
    if (t < shown[0] || t > shown[1]) zoom(t - (shown[1] - shown[0]) / 2, t + (shown[1] - shown[0]) / 2);
    else showAll();
  }
  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const { row, who, text } of rows) {
      row.hidden = Boolean(actor.value && who !== actor.value) || !words.every((word) => text.includes(word));
      count += row.hidden ? 0 : 1;
    }
    byId("shown").textContent = `${count} of ${rows.length} shown`;
  }
  search.addEventListener("input", filter);
  actor.addEventListener("change", filter);
  document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());

  filter();
  follow();
})();
