# An ordinary session of Ruby's bunny; test_other_clients.py runs it: bunny_session.rb PORT QUEUE
require "bunny"

def check(what, condition)
  abort "failed: #{what}" unless condition
end

port, name = ARGV
connection = Bunny.new(host: "127.0.0.1", port: port.to_i, automatically_recover: false)
connection.start
channel = connection.create_channel
channel.confirm_select
channel.prefetch(10)
queue = channel.queue(name, durable: true)

returned = []
exchange = channel.default_exchange
exchange.on_return { |info, _, body| returned << [info.reply_code, body] }
exchange.publish("lost", routing_key: "#{name}.nowhere", mandatory: true)
100.times do |n|
  exchange.publish("message #{n}", routing_key: name, persistent: true, message_id: n.to_s,
                   headers: { "n" => n, "t" => { "a" => [1, true, "x"] } })
end
check "confirms", channel.wait_for_confirms
# Returns come before the confirm on the wire, but bunny hands them on in a thread of its own.
deadline = Time.now + 10
sleep 0.01 while returned.empty? && Time.now < deadline
check "return", returned == [[312, "lost"]]
check "count", queue.message_count == 100

seen = Queue.new
consumer = queue.subscribe(manual_ack: true) do |delivery, properties, body|
  if body == "message 3" && !delivery.redelivered?
    channel.nack(delivery.delivery_tag, false, true)
  else
    channel.ack(delivery.delivery_tag)
    seen << [body, properties.headers["n"], properties.headers["t"], delivery.redelivered?]
  end
end
got = Array.new(100) { seen.pop }
check "bodies", got.map(&:first).sort == Array.new(100) { |n| "message #{n}" }.sort
deep = { "a" => [1, true, "x"] }
check "headers", got.all? { |body, n, t, _| body == "message #{n}" && t == deep }
check "redelivered", got.select(&:last).map(&:first) == ["message 3"]
consumer.cancel
check "empty", queue.pop == [nil, nil, nil]

begin
  connection.create_channel.queue("#{name}.missing", passive: true)
  check "404", false
rescue Bunny::NotFound => e
  check "404 text", e.message.include?("no queue '#{name}.missing'")
end
begin
  connection.create_channel.queue(name, durable: false)
  check "406", false
rescue Bunny::PreconditionFailed
  nil
end
# Bunny knows this close by its text.
bad = connection.create_channel
bad.on_error { |_, close| seen << close.reply_text }
bad.ack(4711)
check "unknown tag", seen.pop.include?("unknown delivery tag")

replies = channel.queue("", exclusive: true)
server = channel.queue("#{name}.rpc", auto_delete: true)
server.subscribe do |_, properties, body|
  exchange.publish(body.upcase, routing_key: properties.reply_to,
                   correlation_id: properties.correlation_id)
end
answers = Queue.new
replies.subscribe { |_, properties, body| answers << [properties.correlation_id, body] }
exchange.publish("hello", routing_key: server.name, reply_to: replies.name,
                 correlation_id: "42")
check "rpc", answers.pop == ["42", "HELLO"]

queue.delete
connection.close
puts "ok"
