// Draws courses over time as SVG: lines, stacked areas, heat maps.
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
