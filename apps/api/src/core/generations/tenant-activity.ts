const MINUTE_MS = 60_000;
const MINUTES = 5;

/** How many tenants are active, and how much of it all one of them does: what can be told without telling of whom. */
export class TenantActivity {
  /** By minute, tenant id → requests. Of the last few minutes, so it holds no more than who was there. */
  private readonly minutes = new Map<number, Map<string, number>>();

  note(tenantId: string, nowMs = Date.now()): void {
    const minute = Math.floor(nowMs / MINUTE_MS);
    let counts = this.minutes.get(minute);
    if (!counts) {
      for (const old of this.minutes.keys()) if (old <= minute - MINUTES) this.minutes.delete(old);
      this.minutes.set(minute, (counts = new Map()));
    }
    counts.set(tenantId, (counts.get(tenantId) ?? 0) + 1);
  }

  /** Over the last five minutes, the current one included. `largestShare`: 0 to 1, of requests; 0 without any. */
  summary(nowMs = Date.now()): { tenants: number; largestShare: number } {
    const since = Math.floor(nowMs / MINUTE_MS) - MINUTES;
    const sums = new Map<string, number>();
    for (const [minute, counts] of this.minutes) {
      if (minute > since) for (const [tenantId, count] of counts) sums.set(tenantId, (sums.get(tenantId) ?? 0) + count);
    }
    const total = [...sums.values()].reduce((sum, count) => sum + count, 0);
    return { tenants: sums.size, largestShare: total === 0 ? 0 : Math.max(...sums.values()) / total };
  }
}
