/**
 * How many WebSockets are open in this process. Anybody may open one, and it is the operations that sign in, so those that
 * are signed in for nobody make room for newer ones, the oldest first: who means to use one does so at once.
 */
import { ArilError } from '@aril/contracts';

/** Whoever is at the other end of one, as far as it is known. */
export interface Visitor {
  /** undefined: not known. */
  readonly address: string | undefined;
  /** Of the first operation that was signed in. */
  tenantId?: string;
  /** Ends the connection. */
  leave(why: string): void;
}

export interface RoomBounds {
  /** Of those that nobody has signed in on. */
  anonymousMax: number;
  anonymousPerAddressMax: number;
  perTenantMax: number;
}

export const ROOM_BOUNDS: RoomBounds = { anonymousMax: 1_000, anonymousPerAddressMax: 100, perTenantMax: 1_000 };

export class SocketRoom {
  /** The oldest first. */
  private readonly anonymous = new Set<Visitor>();
  private readonly byTenant = new Map<string, Set<Visitor>>();

  constructor(private readonly bounds: RoomBounds = ROOM_BOUNDS) {}

  enter(visitor: Visitor): void {
    this.anonymous.add(visitor);
    const sameAddress = [...this.anonymous].filter(({ address }) => address === visitor.address);
    if (sameAddress.length > this.bounds.anonymousPerAddressMax) this.dismiss(sameAddress[0]!, 'from this address');
    const [oldest] = this.anonymous;
    if (oldest && this.anonymous.size > this.bounds.anonymousMax) this.dismiss(oldest, 'here');
  }

  /** @throws ArilError RATE_LIMITED: the tenant has as many as it may; this one stays what it was */
  signIn(visitor: Visitor, tenantId: string): void {
    if (visitor.tenantId !== undefined) return;
    const others = this.byTenant.get(tenantId) ?? new Set();
    const { perTenantMax } = this.bounds;
    if (others.size >= perTenantMax) throw new ArilError('RATE_LIMITED', `This tenant has too many WebSockets open: expected at most ${perTenantMax}.`);
    this.byTenant.set(tenantId, others.add(visitor));
    this.anonymous.delete(visitor);
    visitor.tenantId = tenantId;
  }

  exit(visitor: Visitor): void {
    this.anonymous.delete(visitor);
    if (visitor.tenantId === undefined) return;
    const others = this.byTenant.get(visitor.tenantId);
    others?.delete(visitor);
    if (others?.size === 0) this.byTenant.delete(visitor.tenantId);
  }

  private dismiss(visitor: Visitor, where: string): void {
    this.anonymous.delete(visitor);
    visitor.leave(`Too many WebSockets ${where} that nobody has signed in on`);
  }
}
