// Part of gfpq (integrations/caffe), BSD-2-Clause.
#include <vector>

#include "caffe/layers/quant_layer.hpp"
#include "caffe/util/math_functions.hpp"

namespace caffe {

template <typename Dtype>
void QuantLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>& top) {
  const int count = bottom[0]->count();
  if (count == 0) {
    return;  // Such a blob has no memory, and says nothing of the range.
  }
  Dtype* data = top[0]->mutable_gpu_data();
  caffe_copy(count, bottom[0]->gpu_data(), data);  // Nothing, where in place.
  if (enabled_) {
    GFPQ_PARAM_ST param;
    GFPQ_PARAM_ST* range = ReadRange(&param);
    // All of Caffe's work is on the default stream.
    CheckStatus(HI_GFPQ_QuantAndDeQuant_GPU(data, count, bits_, range, NULL,
                                            Caffe::cublas_handle()),
                "HI_GFPQ_QuantAndDeQuant_GPU");
    WriteRange(range);
  }
}

template <typename Dtype>
void QuantLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                     const vector<bool>& propagate_down,
                                     const vector<Blob<Dtype>*>& bottom) {
  if (propagate_down[0]) {
    caffe_copy(top[0]->count(), top[0]->gpu_diff(),
               bottom[0]->mutable_gpu_diff());
  }
}

INSTANTIATE_LAYER_GPU_FUNCS(QuantLayer);

}  // namespace caffe
