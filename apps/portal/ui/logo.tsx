/**
 * A pomegranate cut open: the rind with its crown, and the arils around one in the middle, which are the
 * adapters around one base model. Drawn here, so that it takes part in both colour schemes.
 */
const SEEDS = [0, 60, 120, 180, 240, 300];

export const LogoMark = ({ size = 32 }: { size?: number }) => (
  <svg width={size} height={size} viewBox="0 0 48 48" aria-hidden="true" focusable="false">
    <path
      d="M24 10 17.5 2.5l3.6 1.7L24 1l2.9 3.2 3.6-1.7z"
      fill="#c92f4c"
      stroke="#c92f4c"
      strokeWidth="1.5"
      strokeLinejoin="round"
    />
    <circle cx="24" cy="28" r="19" fill="#c92f4c" />
    <circle cx="24" cy="28" r="15" fill="#fbe4e0" />
    {SEEDS.map((angle) => (
      <path
        key={angle}
        d="M24 21.6c-2.9-2-4-4-3.2-5.8.6-1.3 1.8-2 3.2-2s2.6.7 3.2 2c.8 1.8-.3 3.8-3.2 5.8z"
        fill="#b0203d"
        transform={`rotate(${angle} 24 28)`}
      />
    ))}
    <circle cx="24" cy="28" r="3.4" fill="#e4647d" />
  </svg>
);
