/** Rings of seeds as in a fruit cut open; decoration, placed by the golden angle so that they never line up. */
const GOLDEN_ANGLE_DEG = 137.508;
const SEEDS = Array.from({ length: 88 }, (_, index) => ({
  angle: (index * GOLDEN_ANGLE_DEG) % 360,
  // Rounded, so that server and browser write the same digits.
  radius: Math.round(28 + 20 * Math.sqrt(index + 1)),
  scale: Math.round(100 * (0.75 + 0.5 * Math.sqrt(index / 88))) / 100,
  shade: index % 3,
}));
const SHADES = ['#f6b9c3', '#ee8fa1', '#fbdfe2'];

export const PomegranateArt = ({ className }: { className?: string | undefined }) => (
  <svg viewBox="-260 -260 520 520" className={className} aria-hidden="true" focusable="false">
    <circle r="250" fill="#ffffff" opacity="0.05" />
    <circle r="232" fill="#ffffff" opacity="0.06" />
    {SEEDS.map(({ angle, radius, scale, shade }) => (
      <path
        key={angle}
        d="M0 13c-7-5-10-10-8-15C-6.5-5.5-3.6-7 0-7s6.5 1.5 8 5c2 5-1 10-8 15z"
        transform={`rotate(${Math.round(angle * 100) / 100}) translate(0 ${-radius}) scale(${scale})`}
        fill={SHADES[shade]}
        opacity="0.5"
      />
    ))}
    <circle r="17" fill="#fff" opacity="0.8" />
  </svg>
);
