package config

import (
	"strconv"

	"granary/door/zmq"
)

// zmqRows are the topics that can be published over ZMQ.
func zmqRows() (rows []Option) {
	for _, topic := range zmq.Topics {
		rows = append(rows, Option{
			Name: "zmqpub" + topic, Group: "ZMQ", Arg: "ADDRESS", Default: "none", kind: kindList,
			Help: "Publish " + topic + " at tcp://HOST:PORT or ipc://PATH", set: addText(func(s *Settings) *[]string { return s.zmqAt(topic) }),
		}, Option{
			Name: "zmqpub" + topic + "hwm", Group: "ZMQ", Arg: "N", Default: strconv.Itoa(zmq.DefaultHighWater), kind: kindInt,
			Help: "Messages of " + topic + " that wait for a slow subscriber; more are lost to it",
			set: func(s *Settings, value string) error {
				var n int
				err := setInt(1, 1<<24, func(*Settings) *int { return &n })(s, value)
				s.zmq(topic).highWater = n
				return err
			},
		})
	}
	return rows
}

// zmqTopic is what was said of one topic.
type zmqTopic struct {
	addresses []string
	highWater int
}

func (s *Settings) zmq(topic string) *zmqTopic {
	if s.zmqTopics[topic] == nil {
		if s.zmqTopics == nil {
			s.zmqTopics = make(map[string]*zmqTopic)
		}
		s.zmqTopics[topic] = &zmqTopic{}
	}
	return s.zmqTopics[topic]
}

func (s *Settings) zmqAt(topic string) *[]string { return &s.zmq(topic).addresses }

// Notifiers are what is published over ZMQ, in the order of the topics.
func (c *Config) Notifiers() (all []zmq.Notifier) {
	for _, topic := range zmq.Topics {
		said := c.zmqTopics[topic]
		if said == nil {
			continue
		}
		for _, address := range said.addresses {
			all = append(all, zmq.Notifier{Topic: topic, Address: address, HighWater: said.highWater})
		}
	}
	return all
}
