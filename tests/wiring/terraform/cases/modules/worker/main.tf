variable "name" {
  type = string
}
variable "dlq" {
  type = string
}

resource "aws_sqs_queue" "jobs" {
  name = var.name
}

resource "aws_sqs_queue_redrive_policy" "jobs" {
  queue_url      = aws_sqs_queue.jobs.id
  redrive_policy = jsonencode({ deadLetterTargetArn = var.dlq, maxReceiveCount = 3 })
}

resource "aws_lambda_function" "worker" {
  function_name = var.name
  role          = "arn:aws:iam::111122223333:role/worker"
}

resource "aws_lambda_event_source_mapping" "jobs" {
  event_source_arn = aws_sqs_queue.jobs.arn
  function_name    = aws_lambda_function.worker.arn
}

output "queue_arn" {
  value = aws_sqs_queue.jobs.arn
}
output "function_name" {
  value = aws_lambda_function.worker.function_name
}
