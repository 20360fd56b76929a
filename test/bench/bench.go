// Package bench measures what kubewright costs: requests to the API server and time, against real kubeadm and for many nodes at
// once, with the real components on machines of the bed. It asserts counts; times are shown and compared by people.
package bench
