// Part of gfpq (integrations/caffe), BSD-2-Clause.
#include "caffe/layers/quant_layer.hpp"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "caffe/util/math_functions.hpp"

namespace caffe {

template <typename Dtype>
void QuantLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                   const vector<Blob<Dtype>*>& top) {
  const string& name = this->layer_param_.name();
  bits_ = this->layer_param_.quant_param().quant_bits();
  enabled_ = this->layer_param_.quant_param().quant_en();
  CHECK(bits_ == GFPQ_BIT_WIDTH_8BIT || bits_ == GFPQ_BIT_WIDTH_16BIT)
      << "quant_bits of layer '" << name << "' is " << bits_
      << ": use 8 or 16.";

  const vector<int> shape(1, GFPQ_PARAM_LEN + 1);
  if (this->blobs_.empty()) {
    this->blobs_.resize(1);
    this->blobs_[0].reset(new Blob<Dtype>(shape));
    caffe_set(this->blobs_[0]->count(), Dtype(0),
              this->blobs_[0]->mutable_cpu_data());
  }
  CHECK(this->blobs_.size() == 1 && this->blobs_[0]->shape() == shape)
      << "The blobs given for layer '" << name
      << "' are not those of a Quant layer.";

  // The range is no weight: solvers must leave it alone.
  if (this->layer_param_.param_size() == 0) {
    this->layer_param_.add_param()->set_lr_mult(0);
  }
  CHECK_EQ(this->layer_param_.param(0).lr_mult(), 0)
      << "Layer '" << name << "' holds a range, which a solver must not "
      << "change: write param { lr_mult: 0 }, or no param.";
  this->layer_param_.mutable_param(0)->set_decay_mult(0);
}

template <typename Dtype>
GFPQ_PARAM_ST* QuantLayer<Dtype>::ReadRange(GFPQ_PARAM_ST* param) {
  const string& name = this->layer_param_.name();
  const Dtype* range = this->blobs_[0]->cpu_data();
  bool found = false;
  for (int i = 0; i < GFPQ_PARAM_LEN; ++i) {
    // A NaN fails this, too.
    CHECK(range[i] >= 0 && range[i] <= 255 && range[i] == int(range[i]))
        << "The range of layer '" << name << "' is damaged: number " << i
        << " of its blob is " << range[i] << ", no byte. Load weights "
        << "that this layer saved, or rename the layer to find it anew.";
    param->buf[i] = static_cast<unsigned char>(range[i]);
    found = found || param->buf[i] != 0;
  }
  CHECK(!found || range[GFPQ_PARAM_LEN] == bits_)
      << "The range of layer '" << name << "' was found for "
      << range[GFPQ_PARAM_LEN] << " bit, and its quant_bits is " << bits_
      << ": make them agree, or rename the layer to find the range anew.";

  if (this->phase_ == TRAIN) {
    param->mode = found ? GFPQ_MODE_UPDATE : GFPQ_MODE_INIT;
  } else {
    param->mode = GFPQ_MODE_APPLY_ONLY;
    if (!found) {
      LOG_IF(WARNING, !warned_)
          << "Layer '" << name << "' has no range yet: no pass in the TRAIN "
          << "phase, and none in the weights. Each batch's own is used.";
      warned_ = true;
      return NULL;
    }
  }
  return param;
}

template <typename Dtype>
void QuantLayer<Dtype>::WriteRange(const GFPQ_PARAM_ST* param) {
  if (param != NULL && param->mode != GFPQ_MODE_APPLY_ONLY) {
    Dtype* range = this->blobs_[0]->mutable_cpu_data();
    std::copy(param->buf, param->buf + GFPQ_PARAM_LEN, range);
    range[GFPQ_PARAM_LEN] = bits_;
  }
}

template <typename Dtype>
void QuantLayer<Dtype>::CheckStatus(int status, const char* function) const {
  if (status != GFPQ_SUCCESS) {
    std::fflush(stdout);  // The library's message, which an abort would lose.
  }
  CHECK_EQ(status, GFPQ_SUCCESS)
      << function << " failed in layer '" << this->layer_param_.name()
      << "'. The [ERR] line before this one is the library's message. If it "
      << "speaks of the parameter block: load weights that this layer saved, "
      << "or rename the layer to find its range anew. If of the GPU: run "
      << "get_gpu_version.sh, and link libgfpq_gpu.";
}

template <typename Dtype>
void QuantLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>& top) {
  const int count = bottom[0]->count();
  if (count == 0) {
    return;  // Such a blob has no memory, and says nothing of the range.
  }
  Dtype* data = top[0]->mutable_cpu_data();
  caffe_copy(count, bottom[0]->cpu_data(), data);  // Nothing, where in place.
  if (enabled_) {
    GFPQ_PARAM_ST param;
    GFPQ_PARAM_ST* range = ReadRange(&param);
    CheckStatus(HI_GFPQ_QuantAndDeQuant(data, count, bits_, range),
                "HI_GFPQ_QuantAndDeQuant");
    WriteRange(range);
  }
}

template <typename Dtype>
void QuantLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                     const vector<bool>& propagate_down,
                                     const vector<Blob<Dtype>*>& bottom) {
  if (propagate_down[0]) {
    caffe_copy(top[0]->count(), top[0]->cpu_diff(),
               bottom[0]->mutable_cpu_diff());
  }
}

#ifdef CPU_ONLY
STUB_GPU(QuantLayer);
#endif

INSTANTIATE_CLASS(QuantLayer);
REGISTER_LAYER_CLASS(Quant);

}  // namespace caffe
