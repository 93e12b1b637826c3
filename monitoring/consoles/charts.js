"use strict";
(function () {
  const page = document.documentElement.dataset;
  const seconds = Number(page.seconds), end = Number(page.now), start = end - seconds;
  const points = 150, step = Math.max(1, Math.round(seconds / points));
  const most = 16;
  const height = 150, left = 52, bottom = 18, top = 8;
  const drawn = [];

  function made(name, attributes, text) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function scaled(value, base, names) {
    let at = 0;
    while (Math.abs(value) >= base && at < names.length - 1) { value /= base; at += 1; }
    return Number(value.toPrecision(3)) + names[at];
  }

  function shown(value, unit) {
    if (value === 0) return "0";
    if (unit === "percentunit") return Number((value * 100).toPrecision(3)) + "%";
    if (unit === "bytes") return scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]);
    if (unit === "s") {
      const size = Math.abs(value);
      if (size < 0.001) return Number((value * 1e6).toPrecision(3)) + "µs";
      if (size < 1) return Number((value * 1e3).toPrecision(3)) + "ms";
      if (size < 120) return Number(value.toPrecision(3)) + "s";
      if (size < 7200) return Number((value / 60).toPrecision(3)) + "min";
      return size < 172800 ? Number((value / 3600).toPrecision(3)) + "h" : Number((value / 86400).toPrecision(3)) + "d";
    }
    if (Math.abs(value) < 0.01) return value.toExponential(1);
    return scaled(value, 1000, ["", "k", "M", "G"]) + (unit === "ops" ? "/s" : "");
  }

  function clock(time) {
    const date = new Date(time * 1000);
    return (seconds > 172800 ? date.toISOString().slice(5, 10) + " " : "") + date.toISOString().slice(11, 16);
  }

  function named(legend, labels) {
    return legend.replace(/\{\{\s*(\w+)\s*\}\}/g, function (whole, label) { return labels[label] || ""; });
  }

  async function asked(list) {
    const given = new URLSearchParams({ query: list.dataset.query, start: start, end: end, step: step });
    const answer = await (await fetch(page.api + "?" + given)).json();
    if (answer.status !== "success") throw new Error(answer.error);
    return answer.data.result.map(function (series) {
      const values = new Map(series.values.map(function (pair) { return [pair[0], Number(pair[1])]; }));
      return { labels: series.metric, name: named(list.dataset.legend, series.metric), values: values };
    });
  }

  const times = [];
  for (let at = start; at <= end; at += step) times.push(at);

  function unitSize(highest, unit) {
    if (unit === "bytes") return Math.pow(1024, Math.max(0, Math.floor(Math.log2(highest) / 10)));
    return unit !== "s" || highest < 120 ? 1 : highest < 7200 ? 60 : highest < 172800 ? 3600 : 86400;
  }

  // Steps of 1, 2 or 5 times a power of ten of the unit that is shown, at most five up to the highest value.
  function ticks(highest, unit) {
    const base = unitSize(highest, unit), rough = highest / base / 4, power = Math.pow(10, Math.floor(Math.log10(rough)));
    const size = base * [1, 2, 5, 10].map(function (part) { return part * power; }).find(function (part) { return part >= rough; });
    const found = [];
    for (let at = 0; at <= highest * 1.0001; at += size) found.push(at);
    return found;
  }

  function frame(width, label) {
    const svg = made("svg", { viewBox: "0 0 " + width + " " + height, height: height, role: "img", tabindex: 0, "aria-label": label });
    for (let part = 0; part <= 3; part += 1) {
      const x = left + (width - left - 6) * part / 3;
      const anchor = part === 0 ? "start" : part === 3 ? "end" : "middle";
      svg.append(made("text", { x: x, y: height - 3, "text-anchor": anchor }, clock(start + seconds * part / 3)));
    }
    return svg;
  }

  function lines(figure, svg, width, series) {
    const unit = figure.dataset.unit, isStacked = figure.dataset.kind === "stacked";
    const under = times.map(function () { return 0; });
    const rows = series.map(function (one) {
      return times.map(function (time, at) {
        const value = one.values.get(time);
        if (value === undefined || !Number.isFinite(value)) return null;
        if (!isStacked) return [0, value];
        under[at] += value;
        return [under[at] - value, under[at]];
      });
    });
    let highest = Math.max.apply(null, rows.flat().filter(Boolean).map(function (pair) { return pair[1]; }).concat(0));
    const bounds = figure.dataset.bounds.split(" ").filter(Boolean).map(function (one) { return [one[0], Number(one.slice(1))]; })
      .filter(function (bound) { return bound[1] > 1e-6; });  // less stands for: any at all
    if (highest <= 0) highest = Math.max.apply(null, bounds.map(function (bound) { return bound[1]; }).concat(0)) || 1;
    // A bound is drawn where it is near: one far above would press the course flat.
    bounds.forEach(function (bound) { if (bound[1] <= 2 * highest) highest = Math.max(highest, bound[1] * 1.05); });
    const x = function (at) { return left + (width - left - 6) * at / (times.length - 1); };
    const y = function (value) { return top + (height - top - bottom) * (1 - value / highest); };
    ticks(highest, unit).forEach(function (at) {
      svg.append(made("line", { "class": "rule", x1: left, x2: width - 6, y1: y(at), y2: y(at) }));
      svg.append(made("text", { x: left - 6, y: y(at) + 4, "text-anchor": "end" }, shown(at, unit)));
    });
    rows.forEach(function (row, index) {
      if (isStacked && row.every(function (pair) { return !pair || pair[0] === pair[1]; })) return;  // it would hide others
      const colour = "var(--c" + index % 8 + ")";
      let above = "", below = "", area = "", isOn = false;
      const close = function () { if (isStacked && isOn) area += "M" + above.slice(1) + below + "Z"; above = below = ""; };
      let line = "";
      row.forEach(function (pair, at) {
        if (!pair) { close(); isOn = false; return; }
        line += (isOn ? "L" : "M") + x(at).toFixed(1) + "," + y(pair[1]).toFixed(1);
        above += "L" + x(at).toFixed(1) + "," + y(pair[1]).toFixed(1);
        below = "L" + x(at).toFixed(1) + "," + y(pair[0]).toFixed(1) + below;
        isOn = true;
      });
      close();
      if (isStacked) svg.append(made("path", { d: area, fill: colour, "fill-opacity": 0.3 }));
      svg.append(made("path", { d: line, fill: "none", stroke: colour, "stroke-width": 1.6, "stroke-linecap": "round" }));
    });
    bounds.filter(function (bound) { return bound[1] <= highest; }).forEach(function (bound) {
      svg.append(made("path", { "class": "bound " + bound[0], d: "M" + left + "," + y(bound[1]) + "H" + (width - 6) }));
    });
    return function (at) {
      return series.map(function (one, index) {
        const pair = rows[index][at];
        return (one.name || "value") + " " + (pair ? shown(pair[1] - (isStacked ? pair[0] : 0), unit) : "–");
      }).join(", ");
    };
  }

  function heat(figure, svg, width, series) {
    const unit = figure.dataset.unit;
    const buckets = series.map(function (one) { return { le: Number(one.labels.le.replace("+Inf", "Infinity")), values: one.values }; });
    buckets.sort(function (a, b) { return a.le - b.le; });
    const cells = buckets.map(function (bucket, row) {
      return times.map(function (time) {
        const lower = row ? buckets[row - 1].values.get(time) || 0 : 0;
        return Math.max(0, (bucket.values.get(time) || 0) - lower);
      });
    });
    const highest = Math.max.apply(null, cells.flat().concat(1e-9));
    const size = (height - top - bottom) / buckets.length, across = (width - left - 6) / times.length;
    buckets.forEach(function (bucket, row) {
      const y = height - bottom - size * (row + 1);
      if ((buckets.length - 1 - row) % Math.ceil(buckets.length / 7) === 0) {
        const name = Number.isFinite(bucket.le) ? "≤ " + shown(bucket.le, unit) : "more";
        svg.append(made("text", { x: left - 6, y: y + size / 2 + 4, "text-anchor": "end" }, name));
      }
      cells[row].forEach(function (value, at) {
        if (value <= 0) return;
        const shade = Math.max(0.08, Math.sqrt(value / highest));
        svg.append(made("rect", { x: left + across * at, y: y, width: across + 0.3, height: size - 0.5, fill: "var(--c0)", "fill-opacity": shade }));
      });
    });
    return function (at) {
      return buckets.map(function (bucket, row) {
        const name = Number.isFinite(bucket.le) ? "≤ " + shown(bucket.le, unit) : "more";
        return cells[row][at] > 0 ? name + ": " + shown(cells[row][at], "ops") : "";
      }).filter(Boolean).join(", ");
    };
  }

  function cursor(svg, output, width, told) {
    const line = made("line", { "class": "cursor", y1: top, y2: height - bottom, visibility: "hidden" });
    svg.append(line);
    let at = times.length - 1;
    function show() {
      const x = left + (width - left - 6) * at / (times.length - 1);
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
      line.setAttribute("visibility", "visible");
      output.textContent = clock(times[at]) + " UTC: " + (told(at) || "nothing");
    }
    svg.addEventListener("pointermove", function (event) {
      const box = svg.getBoundingClientRect(), part = ((event.clientX - box.left) / box.width * width - left) / (width - left - 6);
      at = Math.min(times.length - 1, Math.max(0, Math.round(part * (times.length - 1))));
      show();
    });
    svg.addEventListener("keydown", function (event) {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      at = Math.min(times.length - 1, Math.max(0, at + by));
      show();
    });
  }

  function draw(figure, chart, series) {
    const width = Math.max(240, chart.clientWidth), title = figure.querySelector("h3").textContent;
    const svg = frame(width, title + ": its course; left and right arrows read it"), output = document.createElement("output");
    const told = (figure.dataset.kind === "heatmap" ? heat : lines)(figure, svg, width, series);
    cursor(svg, output, width, told);
    chart.replaceChildren(svg, output);
  }

  async function course(figure) {
    const chart = figure.querySelector(".chart"), lists = Array.from(figure.querySelectorAll("[data-query]"));
    try {
      const series = (await Promise.all(lists.map(asked))).flat(), last = times[times.length - 1];
      // As the list of values, so that colours fit and the greatest are drawn where there are many.
      const items = Array.from(figure.querySelectorAll("li"));
      const order = items.map(function (item) { const name = item.querySelector(".name"); return name ? name.textContent : ""; });
      const place = function (one) { const found = order.indexOf(one.name); return found < 0 ? order.length : found; };
      const kept = figure.dataset.kind === "heatmap" ? series : series.sort(function (a, b) { return place(a) - place(b) || (b.values.get(last) || 0) - (a.values.get(last) || 0); }).slice(0, most);
      kept.forEach(function (one, index) {
        const item = items[place(one)], swatch = item && item.querySelector(".swatch");
        if (swatch) swatch.style.background = "var(--c" + index % 8 + ")";
      });
      figure.dataset.course = "drawn";
      if (!kept.length) { chart.replaceChildren(); return; }
      draw(figure, chart, kept);
      drawn.push([figure, chart, kept]);
    } catch (fault) {
      chart.textContent = "The course cannot be read: " + fault.message;
      figure.dataset.course = "failed";
    }
  }

  // A table of home, host and value becomes a grid of home by host; without this script it stays a table.
  function grid(table) {
    const rows = Array.from(table.querySelectorAll("tbody tr[data-value]")).map(function (row) {
      const has = function (label) { const cell = row.querySelector("[data-label=" + label + "]"); return cell ? cell.textContent : ""; };
      return { home: has("home"), host: has("host"), value: Number(row.dataset.value), text: row.querySelector(".value").textContent, state: row.className };
    });
    if (!rows.length) return;
    const homes = Array.from(new Set(rows.map(function (row) { return row.home; }))).sort();
    const hosts = Array.from(new Set(rows.map(function (row) { return row.host; }))).sort();
    const highest = Math.max.apply(null, rows.map(function (row) { return row.value; }));
    const made = document.createElement("table"), head = made.createTHead().insertRow(), body = made.createTBody();
    made.className = "grid";
    function heading(row, text, scope) {
      const cell = document.createElement("th");
      cell.scope = scope;
      cell.textContent = text;
      row.append(cell);
    }
    heading(head, "home \u25BE  host \u25B8", "col");
    hosts.forEach(function (host) { heading(head, host, "col"); });
    homes.forEach(function (home) {
      const line = body.insertRow();
      heading(line, home, "row");
      hosts.forEach(function (host) {
        const found = rows.find(function (row) { return row.home === home && row.host === host; }), cell = line.insertCell();
        if (!found) return;
        cell.textContent = found.value > 0 ? String(Number(found.value.toPrecision(2))) : "\u00B7";
        cell.title = home + " at " + host + ": " + found.text;
        const share = highest > 0 ? Math.round(55 * Math.sqrt(found.value / highest)) : 0;
        cell.style.background = "color-mix(in srgb, var(--c0) " + share + "%, transparent)";
      });
    });
    table.replaceWith(made);
  }

  document.querySelectorAll(".matrix table").forEach(grid);
  document.querySelectorAll("figure .chart").forEach(function (chart) { course(chart.closest("figure")); });
  let waits = 0;
  addEventListener("resize", function () {
    clearTimeout(waits);
    waits = setTimeout(function () { drawn.forEach(function (one) { draw(one[0], one[1], one[2]); }); }, 150);
  });
})();
