// Tutorial 4, who listens by severity: node direct_follow.js EXCHANGE SEVERITY...

import { connect, waitUntilStopped } from "./tutorial.js";

const [exchange, ...keys] = process.argv.slice(2);
const connection = await connect();
const channel = await connection.createChannel();
await channel.assertExchange(exchange, "direct", { durable: false });
const { queue } = await channel.assertQueue("", { exclusive: true });
for (const key of keys) {
  await channel.bindQueue(queue, exchange, key);
}
await channel.consume(
  queue,
  (message) => console.log(`${message.fields.routingKey}: ${message.content}`),
  { noAck: true },
);
waitUntilStopped(connection);
