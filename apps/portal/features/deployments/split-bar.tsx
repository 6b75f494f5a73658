import { Progress, Tooltip } from '@mantine/core';
import { formatShare } from '@/lib/format/quantity';
import { variantColor } from './variant-colors';

interface Part {
  target: string;
  share: number;
}

interface Props {
  parts: readonly Part[];
  size?: 'sm' | 'lg';
}

const describe = ({ target, share }: Part): string => `${target || 'not chosen'} ${formatShare(share)}`;

/** How requests are split, as one bar. Grey: nothing is, as all weights are 0. */
export const SplitBar = ({ parts, size = 'lg' }: Props) => (
  <Progress.Root
    size={size === 'lg' ? 22 : 10}
    radius="sm"
    role="img"
    aria-label={`Split: ${parts.map(describe).join(', ')}`}
    transitionDuration={150}
  >
    {parts.map((part, index) => (
      <Tooltip key={index} label={describe(part)} withArrow>
        <Progress.Section value={100 * part.share} color={variantColor(index)} withAria={false} />
      </Tooltip>
    ))}
  </Progress.Root>
);
