import { mapExchange, type Exchange } from 'urql';

/**
 * A client's answers must all be of one tenant. The API moves a session on when its member was removed, and then
 * answers the next query from another tenant: `onMoved` is called before two tenants' data stand on one page.
 */
export const tenantWatch = (onMoved: () => void): Exchange => {
  let known: unknown;
  return mapExchange({
    onResult({ data }) {
      const id = (data as { tenant?: { id?: unknown } } | undefined)?.tenant?.id;
      if (id === undefined) return;
      if (known !== undefined && id !== known) onMoved();
      known = id;
    },
  });
};
