/**
 * Admissions that would wait for their tenant's lock wait here instead, one line per tenant: in a transaction each of
 * them would hold a connection meanwhile, and a flood of one tenant all that the other tenants need.
 */
export class TenantLines {
  private readonly last = new Map<string, Promise<unknown>>();

  run<T>(tenantId: string, work: () => Promise<T>): Promise<T> {
    const before = this.last.get(tenantId) ?? Promise.resolve();
    const turn = before.then(work);
    const over = turn
      .catch(() => undefined)
      .then(() => {
        if (this.last.get(tenantId) === over) this.last.delete(tenantId);
      });
    this.last.set(tenantId, over);
    return turn;
  }
}
