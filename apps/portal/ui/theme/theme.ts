import { createTheme, Drawer, Modal, Paper, type MantineColorsTuple } from '@mantine/core';

/** The rind: one red from blush to almost black. Shade 7 carries white text at more than 5 : 1. */
const garnet: MantineColorsTuple = [
  '#fdf0f2',
  '#fadbe1',
  '#f3b4c0',
  '#ec899c',
  '#e4647d',
  '#d9445f',
  '#c92f4c',
  '#b0203d',
  '#901830',
  '#6f1225',
];

/** The leaf: success and everything that is ready. */
const leaf: MantineColorsTuple = [
  '#eef8f1',
  '#d9eee0',
  '#b2dcc0',
  '#87ca9e',
  '#62b980',
  '#4aae6d',
  '#3ca862',
  '#2c8f50',
  '#217a43',
  '#126335',
];

/** The membrane: warm amber for warnings. */
const amber: MantineColorsTuple = [
  '#fff7e6',
  '#fcecd0',
  '#f6d7a3',
  '#f0c071',
  '#eaac47',
  '#e79f2d',
  '#e6981e',
  '#b97206',
  '#9c5e00',
  '#7c4a00',
];

/** Mantine's dark scale, warmed: night surfaces lean to plum rather than to blue. */
const dark: MantineColorsTuple = [
  '#d6cfd1',
  '#bdb3b6',
  '#9d9195',
  '#70646a',
  '#493f44',
  '#3a3136',
  '#2b2428',
  '#211b1f',
  '#191417',
  '#120e10',
];

const gray: MantineColorsTuple = [
  '#faf8f8',
  '#f4f1f1',
  '#ebe6e7',
  '#dfd8d9',
  '#cdc5c7',
  '#aea4a7',
  '#877c80',
  '#5c5256',
  '#3b3337',
  '#241e21',
];

/** What opens over a page: all look alike, and their titles break rather than push the button out. */
const OVERLAID = {
  overlayProps: { backgroundOpacity: 0.5, blur: 2 },
  closeButtonProps: { 'aria-label': 'Close' },
};
const TITLE = { title: { fontWeight: 650, fontSize: '1.125rem', overflowWrap: 'anywhere' } } as const;

export const theme = createTheme({
  primaryColor: 'garnet',
  primaryShade: { light: 7, dark: 6 },
  colors: { garnet, leaf, amber, dark, gray },
  black: '#1f181b',
  fontFamily: "'Inter Variable', ui-sans-serif, system-ui, -apple-system, 'Segoe UI', sans-serif",
  fontFamilyMonospace:
    "ui-monospace, 'SFMono-Regular', 'JetBrains Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace",
  defaultRadius: 'md',
  cursorType: 'pointer',
  focusRing: 'auto',
  respectReducedMotion: true,
  headings: {
    fontWeight: '650',
    sizes: {
      h1: { fontSize: '1.625rem', lineHeight: '1.25' },
      h2: { fontSize: '1.25rem', lineHeight: '1.3' },
      h3: { fontSize: '1.0625rem', lineHeight: '1.4' },
    },
  },
  components: {
    Paper: Paper.extend({ defaultProps: { withBorder: true, radius: 'lg' } }),
    Modal: Modal.extend({ defaultProps: { radius: 'lg', centered: true, ...OVERLAID }, styles: TITLE }),
    Drawer: Drawer.extend({ defaultProps: { position: 'right', ...OVERLAID }, styles: TITLE }),
  },
});
