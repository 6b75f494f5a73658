/**
 * Bar charts as SVG, drawn by Vega-Lite without a browser. The background is transparent and every colour is legible
 * on white and on black, because a README is read on both.
 */
import { Error as ERRORS_ONLY, View, logger, parse } from 'vega';
import { compile } from 'vega-lite';

const INK = '#768390';
const PALETTE = ['#4c8ed9', '#d97b4c', '#3fa27a', '#b06ec4', '#c2a130', '#5aa7b8', '#c45b77', '#8a8f5a'];

const CONFIG = {
  background: null,
  font: 'system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif',
  title: { color: INK, fontSize: 14, anchor: 'start', offset: 12 },
  axis: {
    labelColor: INK,
    titleColor: INK,
    tickColor: INK,
    domainColor: INK,
    labelFontSize: 11,
    titleFontSize: 11,
    gridColor: INK,
    gridOpacity: 0.2,
    labelLimit: 360,
  },
  header: { labelColor: INK, titleColor: INK, labelFontSize: 12 },
  legend: { labelColor: INK, titleColor: INK },
  view: { stroke: null },
  range: { category: PALETTE },
};

/** A field name as Vega-Lite wants it: dots, brackets and quotes would be paths. */
const field = (name) => name.replace(/[.[\]'"\\]/g, (letter) => `\\${letter}`);

function bars({ x, y, log, values }) {
  const axis = log ? { format: '.0e', tickCount: 6 } : {};
  const length = {
    field: field(x),
    type: 'quantitative',
    title: x,
    scale: { type: log ? 'log' : 'linear' },
    axis,
  };
  // A bar has no zero to start from on a logarithmic axis.
  const mark = log ? { type: 'point', filled: true, size: 80 } : { type: 'bar', height: { band: 0.7 } };
  const nameAxis = { field: field(y), type: 'nominal', title: null, sort: null };
  const format = { field: field(x), type: 'quantitative', format: log ? '.1e' : '.3~s' };
  return {
    data: { values: values.filter((one) => !log || one[x] > 0) },
    layer: [
      { mark, encoding: { x: length, y: nameAxis, color: { ...nameAxis, legend: null } } },
      {
        mark: { type: 'text', align: 'left', dx: 5, color: INK, fontSize: 11 },
        encoding: { x: length, y: nameAxis, text: format },
      },
    ],
  };
}

const SIZE = { width: 480, height: { step: 20 } };

/** One chart per value of `facet`, each with only the bars it has, on a common scale. */
function inGroups({ data, ...unit }, { facet, values }) {
  const header = { labelAngle: 0, labelAlign: 'left', labelOrient: 'top', labelAnchor: 'start' };
  const order = [...new Set(values.map((value) => value[facet]))];
  return {
    data,
    facet: { row: { field: field(facet), type: 'nominal', sort: order, title: null, header } },
    spec: { ...unit, ...SIZE },
    resolve: { scale: { y: 'independent' } },
  };
}

/**
 * @param {string} title
 * @param {{ x: string, y: string, facet?: string, log?: boolean, values: object[] }} plot one bar per value;
 *   `facet` names the groups they come in
 * @returns {Promise<string>} SVG
 */
export async function drawPlot(title, plot) {
  const chart = bars(plot);
  const spec = plot.facet ? inGroups(chart, plot) : { ...chart, ...SIZE };
  const padding = { left: 8, right: 48, top: 8, bottom: 8 };
  const compiled = compile({ ...spec, title, padding, config: CONFIG }, { logger: logger(ERRORS_ONLY) });
  return new View(parse(compiled.spec), { renderer: 'none' }).toSVG();
}
