// Draws the charts, those in sight first, keeps those over time on the same part of it, redraws them when light turns
// to dark, and shows them as vectors on paper.
"use strict";
(() => {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const views = new Map(); // key of a chart to its view
  const waiting = new Set(Object.keys(charts)); // to be drawn
  const windows = new Map(); // group of charts, or key of one alone, to {from, to, first, last}
  let brushed = null; // the chart on which a part of the axis is being marked, and that part
  const SHORTEST = 1e-6; // of the whole axis

  const groupOf = key => charts[key].group || key;
  const keysOf = group => Object.keys(charts).filter(key => groupOf(key) === group);

  function clock(ms) {
    let s = ms / 1000, text = "";
    for (const [unit, name] of [[86400, "d"], [3600, "h"], [60, "m"]]) {
      const count = Math.floor(s / unit);
      s -= count * unit;
      if (count) text += count + name;
    }
    const rest = Number(s.toFixed(ms < 1000 ? 3 : 1));
    return rest || !text ? `${text}${rest}s` : text;
  }

  function rowsOf(columns) { // columns to rows, with their time as text for the pointer
    const names = Object.keys(columns);
    return columns[names[0]].map((_, index) => {
      const row = Object.fromEntries(names.map(name => [name, columns[name][index]]));
      return "t" in row ? {...row, at: clock(row.t)} : row;
    });
  }

  function theme() {
    const style = getComputedStyle(document.documentElement);
    return name => style.getPropertyValue(`--${name}`).trim();
  }

  function configOf(colour) {
    return {
      background: colour("paper"),
      font: getComputedStyle(document.body).fontFamily.replaceAll('"', "'"),
      view: {stroke: null},
      axis: {labelColor: colour("soft"), titleColor: colour("soft"), domainColor: colour("soft"), tickColor: colour("soft"),
             gridColor: colour("faint"), labelFontSize: 11.5, titleFontSize: 11.5, titleFontWeight: "normal"},
    };
  }

  function specOf(key, colour) {
    const spec = JSON.parse(JSON.stringify(charts[key].spec), (_, value) =>
      value && typeof value === "object" && typeof value.theme === "string" ? colour(value.theme) : value);
    spec.datasets = Object.fromEntries(Object.entries(charts[key].rows).map(([name, columns]) => [name, rowsOf(columns)]));
    const shown = windows.get(groupOf(key));
    if (shown) for (const parameter of spec.params) parameter.value = shown[parameter.name];
    return spec;
  }

  async function draw(key) {
    const colour = theme();
    const {view} = await vegaEmbed(document.getElementById(key), specOf(key, colour), {
      actions: false, ast: true, renderer: "canvas", config: configOf(colour), defaultStyle: false,
      tooltip: {disableDefaultStyle: true},
    });
    views.get(key)?.finalize();
    views.set(key, view);
    if (!windows.has(groupOf(key))) return; // nothing to zoom
    view.addSignalListener("brush", (_, value) => { brushed = {key, range: Object.values(value)[0]}; });
    view.addEventListener("dblclick", () => show(groupOf(key), -Infinity, Infinity));
  }

  function zoomToBrush() { // when dragging ends, wherever that is
    if (!brushed?.range) return;
    const {key, range} = brushed, its = windows.get(groupOf(key));
    const [from, to] = range.map(Number).sort((a, b) => a - b);
    brushed = null;
    views.get(key).signal("brush_x", [0, 0]).runAsync();
    if (to - from > (its.to - its.from) / 100) show(groupOf(key), from, to);
  }

  function show(group, from, to) { // the part of the axis from..to, on all charts of the group
    const its = windows.get(group), least = SHORTEST * (its.last - its.first);
    its.from = Math.max(its.first, Math.min(from, its.last - least));
    its.to = Math.min(its.last, Math.max(to, its.from + least));
    if (group === "time") tell(its);
    for (const key of keysOf(group)) views.get(key)?.signal("from", its.from).signal("to", its.to).runAsync();
  }

  function tell(its) {
    document.getElementById("shown").textContent = `${clock(its.from)} to ${clock(its.to)}`;
  }

  function zoomBy(what) {
    const its = windows.get("time"), width = its.to - its.from, middle = (its.from + its.to) / 2;
    const moved = Math.min(Math.max(what === "later" ? width / 2 : -width / 2, its.first - its.from), its.last - its.to);
    if (what === "whole") show("time", -Infinity, Infinity);
    else if (what === "closer") show("time", middle - width / 4, middle + width / 4);
    else if (what === "wider") show("time", middle - width, middle + width);
    else show("time", its.from + moved, its.to + moved);
  }

  async function forPaper() { // a browser prints right after the event: nothing here waits for more than itself
    const light = document.styleSheets[0].cssRules[0].style, shown = theme();
    const names = [...light].filter(name => name.startsWith("--")).map(name => name.slice(2));
    const onPaper = new Map(names.map(name => [shown(name), light.getPropertyValue(`--${name}`).trim()]));
    for (const [key, view] of views) {
      const text = (await view.toSVG()).replace(/#[0-9a-f]{6}/g, colour => onPaper.get(colour) ?? colour);
      const picture = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
      picture.querySelector(`rect[fill="${onPaper.get(shown("paper"))}"]`)?.remove(); // paper has a colour of its own
      document.getElementById(key).append(picture);
    }
  }

  function forScreen() {
    for (const picture of document.querySelectorAll(".chart > svg")) picture.remove();
  }

  const nextTask = () => new Promise(done => setTimeout(done)); // the page stays responsive

  async function drawWaiting() { // what is in sight, or near it, before what is not
    while (waiting.size) {
      const key = [...waiting].reduce((nearest, other) => distance(other) < distance(nearest) ? other : nearest);
      waiting.delete(key);
      await draw(key);
      await nextTask();
    }
    document.documentElement.dataset.drawn = String(views.size);
  }

  function distance(key) { // from the middle of the window, in pixels
    const box = document.getElementById(key).getBoundingClientRect();
    return Math.abs((box.top + box.bottom - innerHeight) / 2);
  }

  for (const key of Object.keys(charts)) {
    const [from, to] = (charts[key].spec.params ?? []).map(parameter => parameter.value);
    if (charts[key].spec.params?.[0]?.name === "from") windows.set(groupOf(key), {from, to, first: from, last: to});
  }
  const toolbar = document.querySelector(".zoom");
  if (windows.has("time")) {
    toolbar.hidden = false;
    tell(windows.get("time"));
    toolbar.addEventListener("click", event => event.target.dataset.zoom && zoomBy(event.target.dataset.zoom));
  }
  window.addEventListener("pointerup", zoomToBrush);
  window.addEventListener("beforeprint", forPaper);
  window.addEventListener("afterprint", forScreen);
  let drawing = drawWaiting();
  dark.addEventListener("change", () => {
    delete document.documentElement.dataset.drawn;
    for (const key of Object.keys(charts)) waiting.add(key);
    drawing = drawing.then(drawWaiting);
  });
})();
