// The page works without this file. With it, charts can be read under the
// pointer and ages go on counting between two blocks.
(function () {
  "use strict";

  function span(s) {
    var units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
    for (var i = 0; i < units.length; i++) {
      var n = Math.floor(s / units[i][0]);
      if (n < 1 && i < 3) continue;
      var text = n + " " + units[i][1];
      if (i < 3 && n < 10) {
        var m = Math.floor(s % units[i][0] / units[i + 1][0]);
        if (m > 0) text += " " + m + " " + units[i + 1][1];
      }
      return text;
    }
  }

  // data-now is the server's clock, so that a wrong clock here does no harm.
  var offset = 0;
  function clock() {
    var mark = document.querySelector("#live[data-now]") || document.querySelector("[data-now]");
    if (mark) offset = Number(mark.dataset.now) - Date.now() / 1000;
  }
  function tick() {
    var now = Date.now() / 1000 + offset;
    document.querySelectorAll("time[data-ago]").forEach(function (el) {
      var s = Math.floor(now - Number(el.dataset.ago));
      el.textContent = s <= 0 && s > -120 ? "just now" : s < 0 ? "in " + span(-s) : span(s) + " ago";
    });
  }

  function color(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }
  var charts = [];
  // A chart follows its card, whatever made the card's width change.
  var fit = new ResizeObserver(function (entries) {
    entries.forEach(function (e) {
      charts.forEach(function (c) {
        if (c.el === e.target && c.plot.width !== c.el.clientWidth)
          c.plot.setSize({ width: c.el.clientWidth, height: c.el.clientHeight });
      });
    });
  });
  function draw() {
    charts = charts.filter(function (c) {
      if (document.body.contains(c.el)) return true;
      fit.unobserve(c.el);
      c.plot.destroy();
      return false;
    });
    document.querySelectorAll("[data-chart]:not(.drawn)").forEach(function (el) {
      var d = JSON.parse(el.dataset.chart);
      var axis = {
        stroke: color("--faint"), grid: { stroke: color("--line"), width: 1 },
        ticks: { show: false }, font: "12px system-ui, sans-serif", gap: 6
      };
      var ink = color(d.columns ? "--leaf" : "--wheat");
      var group = function (n) {
        var p = String(n).split(".");
        if (p[0].length > 4) p[0] = p[0].replace(/\B(?=(\d{3})+$)/g, "\u202f");
        return p.join(".");
      };
      var readout = el.parentNode.querySelector("[data-readout]");
      var resting = readout ? readout.textContent : "";
      el.classList.add("drawn");
      var plot = new uPlot({
        width: el.clientWidth, height: el.clientHeight, legend: { show: false },
        padding: [10, 18, 0, 0],
        cursor: { y: false, points: { size: 7, fill: ink } },
        scales: { x: { time: false, range: function (u, lo, hi) { return d.columns ? [lo - .6, hi + .6] : [lo, hi]; } },
                  y: { range: function (u, lo, hi) { return [0, hi > 0 ? hi * 1.1 : 1]; } } },
        axes: [
          Object.assign({ values: function (u, v) { return v.map(function (x) { return x % 1 ? "" : group(x); }); } }, axis, { grid: { show: false }, size: 28 }),
          Object.assign({ size: 52, values: function (u, v) { return v.map(function (y) { return group(Math.round(y * 100) / 100); }); } }, axis)
        ],
        series: [{}, {
          stroke: ink, width: d.columns ? 0 : 2, fill: d.columns ? ink : ink + "2a",
          paths: d.columns ? uPlot.paths.bars({ size: [.62, 14] }) : undefined, points: { show: false }
        }],
        hooks: { setCursor: [function (u) {
          if (!readout) return;
          var i = u.cursor.idx;
          readout.textContent = i == null ? resting : "height " + group(d.x[i]) + ": " + group(d.y[i]) + "\u202f" + d.unit;
        }] }
      }, [d.x, d.y], el);
      fit.observe(el);
      charts.push({ el: el, plot: plot });
    });
  }
  function redraw() {
    charts.forEach(function (c) { fit.unobserve(c.el); c.plot.destroy(); c.el.classList.remove("drawn"); });
    charts = [];
    draw();
  }

  function start() { clock(); tick(); draw(); }
  document.addEventListener("DOMContentLoaded", start);
  document.addEventListener("htmx:afterSettle", start);
  setInterval(tick, 1000);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
})();
