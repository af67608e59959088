"""The flags of the three generations, written down from their documentation: what the table must hold, no more."""

from __future__ import annotations

import itertools
import re

FLAGS_2020 = """
--model --dataset --dataset_train_path --dataset_test_path --test_as_validation --batch_size --validation_split
--steps_per_epoch --num_epochs --evaluate --optimizer --learning_rate --decay_rate --epsilon --momentum --loss_func
--parallel --blocking_mpi --non_blocking_mpi --tracing --profile --enable_gpu --dtype
"""
"""22, and --non_blocking_mpi, which version 1.0 has in place of --blocking_mpi."""

FLAGS_1 = """
--model --batch_size --global_batch_size --dtype --num_epochs --steps_per_epoch --evaluate --evaluate_only
--weights_and_bias_filename --history_file --shared_storage --tensor_format
--enable_fused_{bn_relu,conv_relu,conv_bn,conv_bn_relu} --enable_best_of --conv_direct_methods_for_best_of
--enable_conv_{i2c,gemm,winograd,direct} --conv_direct_method --enable_memory_cache
--dataset --dataset_train_path --dataset_test_path --test_as_validation --validation_split --use_synthetic_data
--flip_images --flip_images_prob --crop_images --crop_images_size --crop_images_prob
--optimizer --learning_rate --learning_rate_scaling --momentum --nesterov --decay --rho --beta1 --beta2 --epsilon
--tau --tau_prime --density --loss_func --metrics
--lr_schedulers --warm_up_epochs --early_stopping_{metric,patience}
--reduce_lr_on_plateau_{metric,factor,patience,min_lr} --reduce_lr_every_nepochs_{factor,nepochs,min_lr}
--stop_at_loss_{metric,threshold} --model_checkpoint_{metric,save_freq}
--parallel --non_blocking_mpi --enable_gpu --enable_{gpudirect,nccl,cudnn_auto_conv_alg} --tracing --tracer_output
--tracer_pmlib_{server,port,device} --profile --{cpu_speed,memory_bw,network_bw,network_lat} --network_alg
--{mpi_processes,threads_per_process,gpus_per_node}
"""

FLAGS_3 = """
--model --batch-size --global-batch-size --dtype --num-epochs --steps-per-epoch --evaluate --evaluate-only
--model-state-file --history --shared-data --tensor-format --fused-{bn-relu,conv-relu,conv-bn,conv-bn-relu}
--conv-direct-method --backend --shared-tmp-memory --quantize --quantize-dtype --random-seed
--logger --traceback --trace-ranks
--dataset --dataset-path --test-as-validation --validation-split
--synthetic-{train-samples,test-samples,input-shape,output-shape}
--augment-horizontal-flip --augment-vertical-flip --input-crop --input-crop-perc --input-scale --input-scale-size
--augment-rotate --augment-rotate-degree --augment-{brightness,contrast} --augment-{brightness,contrast}-factor
--augment-{saturation,blur,mask,perspective} --augment-saturation-factor --augment-{blur,mask}-size
--augment-perspective-factor --augment-shuffle --input-normalize --input-normalize-{offset,scale}
--dataset-percentage --use-class-weights --class-weights --dataset-{lang,lang2}
--optimizer --learning-rate --learning-rate-scaling --optimizer-momentum --optimizer-nesterov --optimizer-decay
--optimizer-decoupled-decay --optimizer-rho --optimizer-{beta1,beta2} --optimizer-epsilon
--optimizer-{tau,tau-prime,density} --oktopk-{min-k,partition-method,reduce-method}
--loss-func --loss-eps --metrics
--schedulers --warm-up-epochs --early-stopping-{metric,patience,minimize}
--reduce-lr-on-plateau-{metric,factor,patience,min-lr,minimize}
--reduce-lr-every-nepochs-{factor,nepochs,min-lr} --stop-at-loss-{metric,threshold,minimize}
--model-checkpoint-{metric,save-freq,minimize}
--parallel-data --use-blocking-mpi --parallel-pipeline --use-mpi-buffers
--model-sync-{freq,algo,participation,min-avail} --initial-model-sync --final-model-sync
--model-sync-{quantize,dtype} --encryption --encryption-{slots,scale,security}
--use-{gpudirect,nccl,mpi-cuda,cudnn-auto-conv-algo} --tracing --tracer-output
--tracer-pmlib-{server,port,device} --profile --{cpu-speed,memory-bw,network-bw,network-lat} --network-algo
--{mpi-procs,proc-threads,node-gpus,mpi-protocol,mpi-server,mpi-port}
"""


def expanded(text: str) -> list[str]:
    """Return the flags of a text; `--a_{b,c}` is `--a_b` and `--a_c`, as in a shell."""
    return [flag for word in text.split() for flag in _expanded(word)]


def _expanded(word: str) -> list[str]:
    parts = re.split(r"\{(.*?)\}", word)
    choices = [part.split(",") if number % 2 else [part] for number, part in enumerate(parts)]
    return ["".join(chosen) for chosen in itertools.product(*choices)]
