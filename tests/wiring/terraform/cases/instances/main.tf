terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "keep_failures" {
  default = true
}

locals {
  kinds = { orders = 30, refunds = 60 }
  given = aws_sqs_queue.shared.arn
}

resource "aws_sqs_queue" "dlq" {
  for_each = local.kinds
  name     = "${each.key}-dlq"
}

# By the key of this instance: the plan shows the queue without key and attribute.
resource "aws_sqs_queue" "jobs" {
  for_each                   = local.kinds
  name                       = each.key
  visibility_timeout_seconds = each.value
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dlq[each.key].arn
    maxReceiveCount     = 3
  })
}

resource "aws_lambda_function" "worker" {
  for_each      = local.kinds
  function_name = "${each.key}-worker"
  role          = "arn:aws:iam::111122223333:role/worker"
  timeout       = 5
}

# By instances of another resource.
resource "aws_lambda_event_source_mapping" "jobs" {
  for_each         = aws_sqs_queue.jobs
  event_source_arn = each.value.arn
  function_name    = aws_lambda_function.worker[each.key].function_name
}

# By a key that stands in the configuration.
resource "aws_sqs_queue" "fixed" {
  name           = "fixed"
  redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dlq["orders"].arn, maxReceiveCount = 1 })
}

# There or not.
resource "aws_sqs_queue" "optional" {
  count = var.keep_failures ? 1 : 0
  name  = "optional"
}

resource "aws_sqs_queue" "with_optional" {
  name = "with-optional"
  redrive_policy = var.keep_failures ? jsonencode({
    deadLetterTargetArn = aws_sqs_queue.optional[0].arn
    maxReceiveCount     = 1
  }) : null
}

resource "aws_sqs_queue" "with_one" {
  name           = "with-one"
  redrive_policy = jsonencode({ deadLetterTargetArn = one(aws_sqs_queue.optional[*].arn), maxReceiveCount = 1 })
}

resource "aws_sqs_queue" "numbered_dlq" {
  count = 2
  name  = "numbered-dlq-${count.index}"
}

resource "aws_sqs_queue" "numbered" {
  count          = 2
  name           = "numbered-${count.index}"
  redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.numbered_dlq[count.index].arn, maxReceiveCount = 1 })
}

# What a plan does not show.
resource "aws_sqs_queue" "shared" {
  name = "shared-dlq"
}

resource "aws_sqs_queue" "by_local" {
  name           = "by-local"
  redrive_policy = jsonencode({ deadLetterTargetArn = local.given, maxReceiveCount = 1 })
}

resource "aws_sqs_queue" "either" {
  name           = "either"
  redrive_policy = jsonencode({ deadLetterTargetArn = coalesce(aws_sqs_queue.shared.arn, aws_sqs_queue.dlq["orders"].arn), maxReceiveCount = 1 })
}

resource "aws_lambda_function" "dynamic" {
  function_name = "dynamic"
  role          = "arn:aws:iam::111122223333:role/worker"
  dynamic "dead_letter_config" {
    for_each = [1]
    content {
      target_arn = aws_sqs_queue.shared.arn
    }
  }
}
