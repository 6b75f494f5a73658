import { ArilError } from '@aril/contracts';

/** How many subscriptions each tenant has open in this process, over whatever connection: each asks the database now and then. */
export class TenantSeats {
  private readonly taken = new Map<string, number>();

  constructor(private readonly max: number) {}

  /** @returns what gives it back, once however often it is called. @throws ArilError RATE_LIMITED */
  take(tenantId: string): () => void {
    const count = this.taken.get(tenantId) ?? 0;
    if (count >= this.max) throw new ArilError('RATE_LIMITED', `This tenant follows too many generations at once: expected at most ${this.max}.`);
    this.taken.set(tenantId, count + 1);
    let held = true;
    return () => {
      if (held) this.giveBack(tenantId);
      held = false;
    };
  }

  private giveBack(tenantId: string): void {
    const left = this.taken.get(tenantId)! - 1;
    if (left > 0) this.taken.set(tenantId, left);
    else this.taken.delete(tenantId);
  }
}
