import type { CSSVariablesResolver } from '@mantine/core';

/** Surfaces and colours Mantine has no name for; components refer to them instead of telling light from dark. */
export const cssVariablesResolver: CSSVariablesResolver = (theme) => ({
  variables: {},
  light: {
    '--mantine-color-body': '#ffffff',
    '--mantine-color-dimmed': '#6b6065',
    '--aril-canvas': '#faf7f6',
    '--aril-surface-sunken': '#f5f1f0',
    '--aril-line': '#e9e2e2',
    '--aril-accent-soft': theme.colors.garnet?.[0] ?? '',
    '--aril-accent-text': theme.colors.garnet?.[7] ?? '',
    '--mantine-color-default-border': '#e0d8d9',
  },
  dark: {
    '--mantine-color-body': '#1c1619',
    '--mantine-color-dimmed': '#a89ca0',
    '--aril-canvas': '#141012',
    '--aril-surface-sunken': '#171214',
    '--aril-line': '#342b30',
    '--aril-accent-soft': 'rgba(217, 68, 95, 0.14)',
    '--aril-accent-text': theme.colors.garnet?.[3] ?? '',
    '--mantine-color-default-border': '#40363b',
  },
});
