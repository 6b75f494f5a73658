import { expect, it } from 'vitest';
import { SocketRoom, type Visitor } from '../src/base/graphql/socket-room.js';

function room(): { enter: (address: string) => Visitor & { gone?: string }; signIn: (visitor: Visitor, tenantId: string) => void; exit: (visitor: Visitor) => void } {
  const made = new SocketRoom({ anonymousMax: 3, anonymousPerAddressMax: 2, perTenantMax: 1 });
  const enter = (address: string): Visitor & { gone?: string } => {
    const visitor: Visitor & { gone?: string } = { address, leave: (why) => void (visitor.gone = why) };
    made.enter(visitor);
    return visitor;
  };
  return { enter, signIn: (visitor, tenantId) => made.signIn(visitor, tenantId), exit: (visitor) => made.exit(visitor) };
}

it('has the oldest of an address leave, then the oldest of all, and none that somebody has signed in on', () => {
  const { enter, signIn, exit } = room();
  const [user, first, second] = [enter('a'), enter('a'), enter('b')];
  signIn(user, 'tenant');
  const third = enter('a');
  expect([user, first, second, third].map(({ gone }) => gone)).toEqual(Array(4).fill(undefined));
  const fourth = enter('a');
  expect([first.gone, second.gone]).toEqual(['Too many WebSockets from this address that nobody has signed in on', undefined]);
  enter('c');
  expect(second.gone).toBe('Too many WebSockets here that nobody has signed in on');
  exit(third);
  enter('d');
  expect([user, third, fourth].map(({ gone }) => gone)).toEqual(Array(3).fill(undefined));
});

it('refuses a tenant more than it may have, until one leaves', () => {
  const { enter, signIn, exit } = room();
  const [one, two] = [enter('a'), enter('b')];
  signIn(one, 'tenant');
  signIn(one, 'tenant');
  signIn(enter('c'), 'other');
  expect(() => signIn(two, 'tenant')).toThrow('This tenant has too many WebSockets open: expected at most 1.');
  exit(one);
  signIn(two, 'tenant');
  exit(two);
});
