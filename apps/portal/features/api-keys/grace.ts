/** How long the secret that a rotation replaces still works, in seconds. */
export const GRACES = [
  { value: '0', label: 'Not any more, from now on' },
  { value: '3600', label: 'For one hour' },
  { value: '86400', label: 'For 24 hours' },
  { value: '604800', label: 'For 7 days' },
  { value: '2592000', label: 'For 30 days' },
] as const;
