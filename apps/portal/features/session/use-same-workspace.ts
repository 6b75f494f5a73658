'use client';
import { useEffect } from 'react';

const CHANNEL = 'aril.workspace';

/**
 * A session works in one workspace, whatever its tabs show. Each tab says which one it was given; those that show
 * another load anew, before somebody makes a key in the wrong place.
 */
export const useSameWorkspace = (tenantId: string | undefined): void => {
  useEffect(() => {
    if (!tenantId) return;
    const channel = new BroadcastChannel(CHANNEL);
    channel.onmessage = ({ data }) => {
      if (data !== tenantId) window.location.assign('/');
    };
    channel.postMessage(tenantId);
    return () => channel.close();
  }, [tenantId]);
};
