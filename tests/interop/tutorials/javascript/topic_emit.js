// Tutorial 5, who tells: node topic_emit.js EXCHANGE KEY TEXT

import { connect } from "./tutorial.js";

const [exchange, key, text] = process.argv.slice(2);
const connection = await connect();
const channel = await connection.createChannel();
await channel.assertExchange(exchange, "topic", { durable: false });
channel.publish(exchange, key, Buffer.from(text));
await channel.close();
await connection.close();
console.log(`sent: ${key}: ${text}`);
