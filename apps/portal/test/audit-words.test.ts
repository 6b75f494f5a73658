import { describe, expect, it } from 'vitest';
import { fieldLabel, hrefOf, valueText } from '@/features/audit/audit-words';

describe('the words of the audit log', () => {
  it.each([
    ['name', 'Name'],
    ['budgetHardUsd', 'Budget hard (USD)'],
    ['baseModelId', 'Base model ID'],
    ['sha256', 'SHA-256'],
  ])('calls the field %s %s', (field, label) => expect(fieldLabel(field)).toBe(label));

  it.each([
    [null, null],
    ['', null],
    ['tone', 'tone'],
    [12345, '12,345'],
    [false, 'No'],
    [['a', null], 'a\n–'],
    [[{ target: 'tone', weight: 7 }], 'Target: tone, Weight: 7'],
    ['2026-13', '2026-13'],
  ])('shows %j as %j', (value, text) => expect(valueText(value)).toBe(text));

  it('shows times as the portal does', () => expect(valueText('2026-10-01T10:00:00.000Z')).toMatch(/1 Oct 2026/));

  it('leads to what still is there', () => {
    expect(hrefOf({ type: 'adapter', id: 'a', label: '', exists: true }, 't')).toBe('/adapters/a');
    expect(hrefOf({ type: 'adapter', id: 'a', label: '', exists: false }, 't')).toBeNull();
    expect(hrefOf({ type: 'limits', id: 't', label: '', exists: true }, 't')).toBe('/settings');
    expect(hrefOf({ type: 'auditLog', id: 't', label: '', exists: true }, 't')).toBeNull();
  });
});
