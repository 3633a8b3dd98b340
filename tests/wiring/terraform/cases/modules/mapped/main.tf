variable "sources" {
  type = map(object({ arn = string, failed = string }))
}
variable "queue" {
  type = object({ name = string, dlq = string, other = string })
}

resource "aws_lambda_function" "worker" {
  function_name = "mapped"
  role          = "arn:aws:iam::111122223333:role/worker"
}

resource "aws_lambda_event_source_mapping" "sources" {
  for_each          = var.sources
  event_source_arn  = each.value.arn
  function_name     = aws_lambda_function.worker.arn
  starting_position = startswith(each.value.arn, "arn:aws:kinesis:") ? "LATEST" : null
  destination_config {
    on_failure {
      destination_arn = each.value.failed
    }
  }
}

resource "aws_sqs_queue" "jobs" {
  name           = var.queue.name
  redrive_policy = jsonencode({ deadLetterTargetArn = var.queue.dlq, maxReceiveCount = 3 })
}
