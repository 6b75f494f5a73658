import { useInterval } from '@mantine/hooks';
import { useEffect } from 'react';

const EVERY_MS = 3_000;

/** Looks again every few seconds while there is something to come. */
export const useRefresh = (active: boolean, reload: () => void): void => {
  const { start, stop } = useInterval(reload, EVERY_MS);
  useEffect(() => {
    if (active) start();
    return stop;
  }, [active, start, stop]);
};
