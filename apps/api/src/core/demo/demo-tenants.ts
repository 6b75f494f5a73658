/** The tenants a fresh start has to show: a shop and a software house, each with adapters of its own, and a test of two of them. */
export interface DemoAdapter {
  slug: string;
  name: string;
  description: string;
}

export interface DemoDeployment extends DemoAdapter {
  variants: { target: string; weight: number }[];
}

export interface DemoTenant {
  name: string;
  user: { name: string; email: string };
  adapters: DemoAdapter[];
  deployments: DemoDeployment[];
}

export const DEMO_TENANTS: DemoTenant[] = [
  {
    name: 'Fern & Thistle',
    user: { name: 'Maya Lindqvist', email: 'maya@fern-thistle.example' },
    adapters: [
      { slug: 'order-json', name: 'Order to JSON', description: 'Turns the text of an order into JSON.' },
      { slug: 'reply-friendly', name: 'Friendly reply', description: 'Writes a warm reply to a customer.' },
      { slug: 'reply-brief', name: 'Brief reply', description: 'Writes a terse reply to a customer; compare it with reply-friendly.' },
    ],
    deployments: [
      {
        slug: 'reply',
        name: 'Reply',
        description: 'Half of the customers get a friendly reply, half a brief one: which do they like better?',
        variants: [
          { target: 'reply-friendly', weight: 50 },
          { target: 'reply-brief', weight: 50 },
        ],
      },
    ],
  },
  {
    name: 'Northbeam Software',
    user: { name: 'Jonas Feld', email: 'jonas@northbeam.example' },
    adapters: [
      { slug: 'sql', name: 'Question to SQL', description: 'Turns a table schema and a question into one SQL statement.' },
      { slug: 'triage', name: 'Support triage', description: 'Gives a support message a category and a priority, as JSON.' },
      { slug: 'pirate', name: 'Pirate', description: 'Answers as a pirate would.' },
    ],
    deployments: [],
  },
];
