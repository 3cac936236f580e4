// Tutorial 6, the server: node square_serve.js QUEUE answers numbers with their squares.

import { connect, waitUntilStopped } from "./tutorial.js";

const [queue] = process.argv.slice(2);
const connection = await connect();
const channel = await connection.createChannel();
await channel.assertQueue(queue, { durable: false });
await channel.prefetch(1);
await channel.consume(queue, (message) => {
  const square = Number(message.content) ** 2;
  const { replyTo, correlationId } = message.properties;
  channel.sendToQueue(replyTo, Buffer.from(String(square)), { correlationId });
  channel.ack(message);
  console.log(`answered: ${square}`);
});
waitUntilStopped(connection);
