/** Numbers as people read them. */
export const integer = (value: number): string => value.toLocaleString('en-US');

export function bytes(value: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, value > 0 ? Math.floor(Math.log2(value) / 10) : 0);
  return power === 0 ? `${value} bytes` : `${(value / 1024 ** power).toFixed(1)} ${units[power]}`;
}
