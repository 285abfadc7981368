// Package metrics is the door for those who watch the node: Prometheus reads
// /metrics, a load balancer asks /ready, a supervisor /health.
//
// It asks nobody until it is asked itself: every figure is read from the
// running parts when Prometheus comes by, so that a node that nobody watches
// pays nothing.
//
//	/metrics  the figures, in Prometheus' text form
//	/health   200 while the node works, 503 once its chain engine has stopped
//	/ready    200 once it answers and has caught up with its chain, 503 before
package metrics
