variable "dlq" {}

output "dlq" {
  value = var.dlq
}
